//! A causal convolution over the last tokens, which are what it keeps.

use formwork_tensor::lanes::mul_add;
use formwork_tensor::{Context, Kernel, Tensor, Tokens};

use crate::recurrent::RecurrentState;

/// Weights `[n, channels]`: the oldest token's first.
#[derive(Clone)]
pub struct ShortConv {
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
}

impl ShortConv {
    /// From weights `[channels, 1, n]`, as a checkpoint holds them.
    pub fn new(weight: &[f32], bias: Option<Vec<f32>>, channels: usize) -> Self {
        let n = weight.len() / channels.max(1);
        let weight = (0..weight.len()).map(|at| weight[at % channels * n + at / channels]).collect();
        Self { weight, bias }
    }

    /// `[B, S, d]` to `[B, S, d]`; the state holds the last `n - 1` tokens, the oldest first. Padding reads as zeros.
    pub fn forward(&self, ctx: &Context, x: &Tensor, tokens: &Tokens, state: &mut RecurrentState) -> Tensor {
        state.expect_before(tokens);
        let [b, s, d] = x.axes("short_conv");
        let kept = self.weight.len() / d.max(1) - 1;
        let mut padded = ctx.tensor(&[b, kept + s, d]);
        for (sequence, rows) in padded.data_mut().chunks_exact_mut((kept + s) * d).enumerate() {
            let (old, new) = rows.split_at_mut(kept * d);
            old.copy_from_slice(state.sequence(sequence));
            new.copy_from_slice(&x.data()[sequence * s * d..][..s * d]);
            if let Some(valid) = tokens.valid_new(sequence) {
                let padding = new.chunks_exact_mut(d).zip(valid).filter(|(_, valid)| !**valid);
                padding.for_each(|(row, _)| row.fill(0.0));
            }
            state.sequence_mut(sequence).copy_from_slice(&rows[s * d..]);
        }
        state.advance(s);
        let mut y = ctx.tensor(&[b, s, d]);
        let simd = ctx.device().simd();
        ctx.device().threads().rows(y.data_mut(), d, |first, rows| {
            for (at, y) in rows.chunks_exact_mut(d).enumerate() {
                let token = first + at;
                let from = (token / s * (kept + s) + token % s) * d;
                let x = &padded.data()[from..][..(kept + 1) * d];
                simd.run(Taps { x, weight: &self.weight, bias: self.bias.as_deref(), y });
            }
        });
        y
    }
}

/// One token: `x` and `weight` are `[n, d]`.
struct Taps<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    y: &'a mut [f32],
}

impl Kernel for Taps<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let d = self.y.len();
        match self.bias {
            Some(bias) => self.y.copy_from_slice(bias),
            None => self.y.fill(0.0),
        }
        for (x, weight) in self.x.chunks_exact(d).zip(self.weight.chunks_exact(d)) {
            for ((y, x), weight) in self.y.iter_mut().zip(x).zip(weight) {
                *y = mul_add::<FMA>(*x, *weight, *y);
            }
        }
    }
}
