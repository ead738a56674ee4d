//! The logarithm of a head's decay: `-e^A · softplus(x + b)`.

use formwork_tensor::lanes::softplus;
use formwork_tensor::{Context, Tensor};

/// `-e^A` for each head, and `b` for each head or each of its features.
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

    /// `[.., H]` to `[.., H]`, or `[.., H, e]` to `[.., H, e]`.
    pub fn forward(&self, ctx: &Context, x: &Tensor) -> Tensor {
        let mut y = ctx.tensor(x.shape());
        let all = self.bias.len();
        let width = all / self.rate.len().max(1);
        for (y, x) in y.data_mut().chunks_exact_mut(all).zip(x.data().chunks_exact(all)) {
            for (at, (y, x)) in y.iter_mut().zip(x).enumerate() {
                *y = self.rate[at / width] * softplus::<false>(x + self.bias[at]);
            }
        }
        y
    }
}
