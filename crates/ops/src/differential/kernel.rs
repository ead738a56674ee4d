//! One map's values less a trained share of the other's.

use formwork_tensor::{Context, Tensor};

/// The trained share.
#[derive(Clone, Copy, Debug)]
pub struct Differential {
    share: f32,
}

impl Differential {
    /// From the four trained vectors: `exp(q1·k1) - exp(q2·k2)`.
    pub fn new([q1, k1, q2, k2]: [&[f32]; 4]) -> Self {
        let dot = |q: &[f32], k: &[f32]| q.iter().zip(k).map(|(q, k)| q * k).sum::<f32>();
        Self { share: dot(q1, k1).exp() - dot(q2, k2).exp() }
    }

    /// `a - share · b`, element by element.
    pub fn forward(&self, ctx: &Context, a: &Tensor, b: &Tensor) -> Tensor {
        let mut y = ctx.tensor(a.shape());
        ctx.device().threads().rows(y.data_mut(), 1, |first, y| {
            for ((y, a), b) in y.iter_mut().zip(&a.data()[first..]).zip(&b.data()[first..]) {
                *y = a - self.share * b;
            }
        });
        y
    }
}

#[cfg(test)]
mod tests {
    use formwork_tensor::Simd;

    use super::*;

    #[test]
    fn subtracts_the_trained_share() {
        let ctx = Context::with(1, Simd::PORTABLE);
        let it = Differential::new([&[0.5, 0.2], &[0.4, 1.0], &[0.1, 0.3], &[2.0, -1.0]]);
        let (a, b) = ([1.0_f32, -2.0, 0.5], [0.7_f32, 3.0, -1.5]);
        let y = it.forward(&ctx, &ctx.from_slice(&[1, 3], &a), &ctx.from_slice(&[1, 3], &b));
        let share = (0.5_f64 * 0.4 + 0.2).exp() - (0.2_f64 - 0.3).exp();
        for ((y, a), b) in y.data().iter().zip(a).zip(b) {
            assert!((f64::from(*y) - (f64::from(a) - share * f64::from(b))).abs() < 1e-6);
        }
    }
}
