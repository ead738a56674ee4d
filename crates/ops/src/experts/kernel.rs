//! The experts of a mixture: tokens are grouped by expert, and only chosen experts run.

use formwork_tensor::{Context, Ids, Tensor};

use super::matrices::{ExpertActivation, ExpertKind, Stacked};

/// The sizes and the kind of the experts of one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpertsConfig {
    /// How many there are.
    pub experts: usize,
    /// Width of inputs and outputs.
    pub d: usize,
    /// Hidden width.
    pub d_ff: usize,
    /// Which matrices they have.
    pub kind: ExpertKind,
    /// The nonlinearity.
    pub act: ExpertActivation,
    /// Whether each matrix has a bias.
    pub bias: bool,
    /// The largest gate, and the largest size of up.
    pub limit: Option<f32>,
    /// Added to up.
    pub up_shift: f32,
    /// Whether a weight scales the expert's input instead of its result.
    pub weigh_inputs: bool,
}

/// The experts of one layer.
#[derive(Clone)]
pub struct Experts {
    config: ExpertsConfig,
    /// Up; gate and up; or both in one.
    first: Vec<Stacked>,
    down: Stacked,
}

impl Experts {
    /// Experts with the first matrices of their kind, and the last one.
    pub fn new(config: ExpertsConfig, first: Vec<Stacked>, down: Stacked) -> Self {
        Self { config, first, down }
    }

    /// `x` `[.., d]`, `weights` and `chosen` `[.., k]` to the weighted sum `[.., d]`. Each token's experts are summed in their order,
    /// whatever the other tokens choose; a choice beyond the last expert is the token itself.
    pub fn forward(&self, ctx: &Context, x: &Tensor, weights: &Tensor, chosen: &Ids) -> Tensor {
        let k = weights.dims().width();
        assert_eq!(weights.data().len(), chosen.data().len(), "every chosen expert has a weight");
        assert_eq!(x.dims().rows(), weights.dims().rows(), "every token has chosen experts");
        let (mut y, groups) = (ctx.zeros(x.shape()), groups(chosen.data(), self.down.experts()));
        // The experts of one token share their input: what they make of it first is made in one go.
        let is_once = groups.iter().take(self.config.experts).all(|uses| uses.len() <= 1);
        let is_shared = x.dims().rows() == 1 && is_once && !self.config.weigh_inputs;
        let asked = (0..self.config.experts).filter(|expert| is_shared && !groups[*expert].is_empty());
        let mut shared = Stacked::forward_all(&self.first, ctx, &asked.collect::<Vec<_>>(), x).into_iter();
        for (expert, uses) in groups.iter().enumerate() {
            if uses.is_empty() {
                continue;
            }
            let scale = |at: usize| if self.config.weigh_inputs { weights.data()[at] } else { 1.0 };
            let input = || gather(ctx, x, uses, k, scale);
            let output = match (expert < self.config.experts, is_shared) {
                (true, true) => self.rest(ctx, expert, shared.by_ref().take(self.first.len())),
                (true, false) => {
                    self.rest(ctx, expert, Stacked::forward_all(&self.first, ctx, &[expert], &input()).into_iter())
                }
                (false, _) => input(),
            };
            let weight = |at: usize| if self.config.weigh_inputs { 1.0 } else { weights.data()[at] };
            scatter(&mut y, &output, uses, k, weight);
        }
        y
    }

    /// What an expert makes of its first products.
    fn rest(&self, ctx: &Context, expert: usize, mut first: impl Iterator<Item = Tensor>) -> Tensor {
        let d_ff = self.config.d_ff;
        let one = first.next().expect("an expert has a first matrix");
        let hidden = match (self.config.kind, first.next()) {
            (ExpertKind::Gated, Some(up)) => self.gate(one, up),
            (ExpertKind::Fused, _) => {
                let [gate, up] = one.split([d_ff, d_ff]);
                self.gate(gate, up)
            }
            (ExpertKind::Interleaved, _) => {
                let every_second = |from: usize| {
                    let mut part = ctx.tensor(&one.dims().with_width(d_ff));
                    let found = one.data().iter().skip(from).step_by(2);
                    part.data_mut().iter_mut().zip(found).for_each(|(to, from)| *to = *from);
                    part
                };
                self.gate(every_second(0), every_second(1))
            }
            (ExpertKind::Plain | ExpertKind::Gated, _) => self.config.act.apply(one),
        };
        self.down.forward(ctx, expert, &hidden)
    }

    /// `act(gate) · (up + shift)`, both held within the limit.
    fn gate(&self, mut gate: Tensor, mut up: Tensor) -> Tensor {
        if let Some(limit) = self.config.limit {
            gate.data_mut().iter_mut().for_each(|x| *x = x.min(limit));
            up.data_mut().iter_mut().for_each(|x| *x = x.clamp(-limit, limit));
        }
        let (mut y, shift) = (self.config.act.apply(gate), self.config.up_shift);
        y.data_mut().iter_mut().zip(up.data()).for_each(|(y, up)| *y *= up + shift);
        y
    }
}

/// For each expert, the places in the list of choices that name it; last, those of no expert.
pub(crate) fn groups(chosen: &[u32], experts: usize) -> Vec<Vec<usize>> {
    let mut groups = vec![Vec::new(); experts + 1];
    for (at, expert) in chosen.iter().enumerate() {
        groups[experts.min(*expert as usize)].push(at);
    }
    groups
}

/// The rows of `x` that use one expert, scaled.
pub(crate) fn gather(ctx: &Context, x: &Tensor, uses: &[usize], k: usize, scale: impl Fn(usize) -> f32) -> Tensor {
    let d = x.dims().width();
    let mut rows = ctx.tensor(&[uses.len(), d]);
    for (row, at) in rows.data_mut().chunks_exact_mut(d).zip(uses) {
        let scale = scale(*at);
        row.iter_mut().zip(&x.data()[at / k * d..][..d]).for_each(|(to, x)| *to = scale * x);
    }
    rows
}

/// Adds one expert's rows, weighted, to those of `y`.
pub(crate) fn scatter(y: &mut Tensor, rows: &Tensor, uses: &[usize], k: usize, weight: impl Fn(usize) -> f32) {
    let d = rows.dims().width();
    let y = y.data_mut();
    for (row, at) in rows.data().chunks_exact(d).zip(uses) {
        let weight = weight(*at);
        y[at / k * d..][..d].iter_mut().zip(row).for_each(|(y, x)| *y += weight * x);
    }
}
