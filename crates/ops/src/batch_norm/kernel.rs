//! Batch normalisation over the last axis with running statistics:
//! `y = (x - mean) / sqrt(var + eps) · w + b`.

use formwork_tensor::{Context, Tensor};

/// The statistics and the affine map, folded to `y = x · scale + shift`.
#[derive(Clone)]
pub struct BatchNorm {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl BatchNorm {
    /// From the running mean and variance, weight and bias, all `[d]`.
    pub fn new(mean: &[f32], variance: &[f32], weight: &[f32], bias: &[f32], eps: f32) -> Self {
        let inverse = variance
            .iter()
            .map(|v| 1.0 / (f64::from(*v) + f64::from(eps)).sqrt());
        let scale: Vec<f64> = inverse
            .zip(weight)
            .map(|(r, w)| r * f64::from(*w))
            .collect();
        let shift = mean.iter().zip(bias).zip(&scale);
        let shift = shift
            .map(|((m, b), s)| (f64::from(*b) - f64::from(*m) * s) as f32)
            .collect();
        Self {
            scale: scale.into_iter().map(|s| s as f32).collect(),
            shift,
        }
    }

    /// `[.., d]` to `[.., d]`.
    pub fn forward(&self, ctx: &Context, x: &Tensor) -> Tensor {
        let d = x.dims().width();
        assert_eq!(self.scale.len(), d, "batch_norm of another width");
        let mut y = ctx.tensor(x.shape());
        for (x, y) in x
            .data()
            .chunks_exact(d)
            .zip(y.data_mut().chunks_exact_mut(d))
        {
            let affine = self.scale.iter().zip(&self.shift);
            y.iter_mut()
                .zip(x)
                .zip(affine)
                .for_each(|((y, x), (s, t))| *y = x * s + t);
        }
        y
    }
}
