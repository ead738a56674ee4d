//! Loads the modules of a model by the names of their weights.

use formwork_ops::batch_norm::BatchNorm;
use formwork_ops::differential::Differential;
use formwork_ops::embedding::Embedding;
use formwork_ops::expert_heads::{ExpertHeads, MergedExpertHeads};
use formwork_ops::experts::{ExpertKind, Experts, ExpertsConfig, Stacked};
use formwork_ops::layer_norm::LayerNorm;
use formwork_ops::linear::Linear;
use formwork_ops::parameter::Parameter;
use formwork_ops::relative_bias::RelativeBias;
use formwork_ops::rms_norm::RmsNorm;
use formwork_ops::xielu::Xielu;
use formwork_tensor::{Layout, Matrix, Param};

use super::Weights;
use super::piece::Piece;

impl Weights {
    /// `name.weight` `[d_out, d_in]`, without bias.
    pub fn linear(&self, name: &str, d_in: usize, d_out: usize) -> Linear {
        Linear::new(self.matrix(name, d_in, d_out), None)
    }

    /// `name.weight` `[d_out, d_in]` and `name.bias` `[d_out]`.
    pub fn linear_bias(&self, name: &str, d_in: usize, d_out: usize) -> Linear {
        let weight = self.matrix(name, d_in, d_out);
        Linear::new(weight, Some(self.vector(name, "bias", d_out)))
    }

    /// `name.weight` `[rows, d]`.
    pub fn embedding(&self, name: &str, rows: usize, d: usize) -> Embedding {
        let table = self.table(&self.full(&format!("{name}.weight")), &[rows, d]);
        Embedding::new(table.unwrap_or_else(|| Param::empty().reshape(&[0, d])))
    }

    /// `name.weight` `[d]`.
    pub fn rms_norm(&self, name: &str, d: usize, eps: f32) -> RmsNorm {
        RmsNorm::new(self.vector(name, "weight", d), eps)
    }

    /// `name.weight` `[d]`; the norm multiplies by `1 + weight`.
    pub fn rms_norm_plus_one(&self, name: &str, d: usize, eps: f32) -> RmsNorm {
        RmsNorm::plus_one(self.vector(name, "weight", d), eps)
    }

    /// `name.weight` `[d]`; each of `groups` equal parts has a mean of its own.
    pub fn rms_norm_grouped(&self, name: &str, d: usize, groups: usize, eps: f32) -> RmsNorm {
        RmsNorm::grouped(self.vector(name, "weight", d), groups, eps)
    }

    /// `name.weight` and `name.bias` `[d]`.
    pub fn layer_norm(&self, name: &str, d: usize, eps: f32) -> LayerNorm {
        let weight = self.vector(name, "weight", d);
        LayerNorm::new(weight, Some(self.vector(name, "bias", d)), eps)
    }

    /// `name.weight` `[d]`, without bias.
    pub fn layer_norm_no_bias(&self, name: &str, d: usize, eps: f32) -> LayerNorm {
        LayerNorm::new(self.vector(name, "weight", d), None, eps)
    }

    /// `name.weight` and `name.bias` `[d]`; the norm multiplies by `1 + weight`.
    pub fn layer_norm_plus_one(&self, name: &str, d: usize, eps: f32) -> LayerNorm {
        let weight = self.vector(name, "weight", d);
        LayerNorm::plus_one(weight, Some(self.vector(name, "bias", d)), eps)
    }

    /// `name.weight` `[heads, d]`, without bias.
    pub fn layer_norm_per_head(&self, name: &str, heads: usize, d: usize, eps: f32) -> LayerNorm {
        let weight = self.table(&self.full(&format!("{name}.weight")), &[heads, d]);
        let weight = weight.map_or_else(Vec::new, |param| param.to_f32().into_owned());
        LayerNorm::new(weight, None, eps)
    }

    /// `name.lambda_q1`, `.lambda_k1`, `.lambda_q2` and `.lambda_k2`, all `[d]`.
    pub fn differential(&self, name: &str, d: usize) -> Differential {
        let vectors = ["lambda_q1", "lambda_k1", "lambda_q2", "lambda_k2"].map(|part| self.vector(name, part, d));
        Differential::new(vectors.each_ref().map(Vec::as_slice))
    }

    /// `name.alpha_p`, `.alpha_n` `[1]`, `.beta` and `.eps` `[]`.
    pub fn xielu(&self, name: &str) -> Xielu {
        let [alpha_p, alpha_n] = ["alpha_p", "alpha_n"].map(|part| self.vector(name, part, 1));
        let [beta, eps] = ["beta", "eps"].map(|part| self.scalar(name, part));
        let first = |v: Vec<f32>| v.first().copied().unwrap_or_default();
        Xielu::new(first(alpha_p), first(alpha_n), beta, eps)
    }

    /// `name.running_mean`, `.running_var`, `.weight` and `.bias`, all `[d]`.
    pub fn batch_norm(&self, name: &str, d: usize, eps: f32) -> BatchNorm {
        let parts = ["running_mean", "running_var", "weight", "bias"];
        let [mean, variance, weight, bias] = parts.map(|part| self.vector(name, part, d));
        BatchNorm::new(&mean, &variance, &weight, &bias, eps)
    }

    /// `name.weight` `[buckets, heads]`.
    pub fn relative_bias(
        &self,
        name: &str,
        buckets: usize,
        heads: usize,
        bidirectional: bool,
        max_distance: usize,
    ) -> RelativeBias {
        let table = self.table(&self.full(&format!("{name}.weight")), &[buckets, heads]);
        let table = table.unwrap_or_else(|| Param::empty().reshape(&[0, heads]));
        RelativeBias::new(&table, bidirectional, max_distance)
    }

    /// The matrices of the experts' kind below `name`, each `[experts, d_out, d_in]` and, with biases, `{matrix}_bias`
    /// `[experts, d_out]`.
    pub fn experts(&self, name: &str, config: ExpertsConfig) -> Experts {
        let (d, d_ff) = (config.d, config.d_ff);
        let stacked = |matrix: &str, d_in: usize, d_out: usize| {
            let matrix = format!("{name}.{matrix}");
            let bias = || self.table(&self.full(&format!("{matrix}_bias")), &[config.experts, d_out]);
            let bias = config.bias.then(|| bias().map_or_else(Vec::new, |bias| bias.to_f32().into_owned()));
            Stacked::new(self.stack(&matrix, &[config.experts, d_out, d_in]), bias)
        };
        let first = match config.kind {
            ExpertKind::Plain => vec![stacked("up_proj", d, d_ff)],
            ExpertKind::Gated => vec![stacked("gate_proj", d, d_ff), stacked("up_proj", d, d_ff)],
            ExpertKind::Fused | ExpertKind::Interleaved => vec![stacked("gate_up_proj", d, 2 * d_ff)],
        };
        Experts::new(config, first, stacked("down_proj", d_ff, d))
    }

    /// `name.weight` `[experts, groups·d_head, d]`.
    pub fn expert_heads(&self, name: &str, experts: usize, groups: usize, d_head: usize, d: usize) -> ExpertHeads {
        let weight = self.stack(&format!("{name}.weight"), &[experts, groups * d_head, d]);
        ExpertHeads::new(Stacked::new(weight, None), groups, d_head)
    }

    /// `name.weight` `[experts, d_out, groups·d_head]`.
    pub fn merge_expert_heads(
        &self,
        name: &str,
        experts: usize,
        groups: usize,
        d_head: usize,
        d_out: usize,
    ) -> MergedExpertHeads {
        let weight = self.stack(&format!("{name}.weight"), &[experts, d_out, groups * d_head]);
        MergedExpertHeads::new(Stacked::new(weight, None), groups, d_head, d_out)
    }

    /// A matrix for each expert, from the tensor `name` `[experts, d_out, d_in]`.
    fn stack(&self, name: &str, dims: &[usize; 3]) -> Vec<Matrix> {
        let full = self.full(name);
        self.pieces(&full, dims).into_iter().map(|piece| self.held(&full, dims, piece)).collect()
    }

    /// The tensor of exactly this name.
    pub fn parameter(&self, name: &str, dims: &[usize]) -> Parameter {
        let table = self.table(&self.full(name), dims);
        Parameter::new(table.unwrap_or_else(Param::empty))
    }

    /// A raw parameter under exactly this name.
    pub fn param(&self, name: &str, dims: &[usize]) -> Param {
        self.table(&self.full(name), dims).unwrap_or_else(Param::empty)
    }

    pub(super) fn table(&self, full: &str, dims: &[usize]) -> Option<Param> {
        let param = self.piece(full, dims).map(Piece::settle);
        if let (Some(taken), Some(param)) = (&mut self.shared.state.borrow_mut().taken, &param) {
            taken.param(full, param);
        }
        param
    }

    pub(super) fn vector(&self, name: &str, part: &str, d: usize) -> Vec<f32> {
        self.numbers(name, part, &[d])
    }

    pub(super) fn numbers(&self, name: &str, part: &str, dims: &[usize]) -> Vec<f32> {
        let name = if name.is_empty() { part.to_string() } else { format!("{name}.{part}") };
        let found = self.table(&self.full(&name), dims);
        found.map_or_else(Vec::new, |param| param.to_f32().into_owned())
    }

    fn scalar(&self, name: &str, part: &str) -> f32 {
        let found = self.table(&self.full(&format!("{name}.{part}")), &[]);
        found.and_then(|param| param.to_f32().first().copied()).unwrap_or_default()
    }

    /// The matrix of a linear layer; stays in the layout of its checkpoint.
    fn matrix(&self, name: &str, d_in: usize, d_out: usize) -> Matrix {
        let (full, dims) = (self.full(&format!("{name}.weight")), [d_out, d_in]);
        match self.piece(&full, &dims) {
            Some(piece) => self.held(&full, &dims, piece),
            None => Matrix::new(Param::empty().reshape(&[0, d_in]), Layout::OutIn),
        }
    }
}
