//! The logarithm of a head's decay: `-e^A · softplus(x + b)`.

use formwork_tensor::lanes::softplus;
use formwork_tensor::{Context, Tensor};

/// `-e^A` and `b`, a number for each head.
#[derive(Clone)]
pub struct LogDecay {
    rate: Vec<f32>,
    bias: Vec<f32>,
}

impl LogDecay {
    /// From `A` and `b`.
    pub fn new(a_log: &[f32], bias: Vec<f32>) -> Self {
        Self { rate: a_log.iter().map(|a| -a.exp()).collect(), bias }
    }

    /// `[.., H]` to `[.., H]`.
    pub fn forward(&self, ctx: &Context, x: &Tensor) -> Tensor {
        let mut y = ctx.tensor(x.shape());
        let heads = self.rate.len();
        for (y, x) in y.data_mut().chunks_exact_mut(heads).zip(x.data().chunks_exact(heads)) {
            for (h, (y, x)) in y.iter_mut().zip(x).enumerate() {
                *y = self.rate[h] * softplus::<false>(x + self.bias[h]);
            }
        }
        y
    }
}
