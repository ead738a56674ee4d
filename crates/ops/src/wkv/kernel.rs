//! The WKV recurrence, token after token, for blocks of channels side by side.
//!
//! Sums are kept relative to the largest exponent so far, so that no exponential overflows.

use std::ops::Range;

use formwork_tensor::lanes::{exp, mul_add};
use formwork_tensor::{Context, Kernel, Tensor, Tokens};

use crate::channels::{self, BLOCK, lanes};
use crate::recurrent::RecurrentState;

/// The exponent before the first token.
const NOTHING: f32 = -1e38;

/// `-w` and `u` for each channel.
#[derive(Clone)]
pub struct Wkv {
    decay: Vec<f32>,
    first: Vec<f32>,
}

impl Wkv {
    /// From `ln w` and `u` `[d]`.
    pub fn new(log_decay: &[f32], first: Vec<f32>) -> Self {
        Self { decay: log_decay.iter().map(|w| -w.exp()).collect(), first }
    }

    /// `k` and `v` `[B, S, d]` to `[B, S, d]`; padding changes nothing.
    pub fn forward(&self, ctx: &Context, k: &Tensor, v: &Tensor, tokens: &Tokens, state: &mut RecurrentState) -> Tensor {
        state.expect_before(tokens);
        let [b, s, d] = k.axes("wkv");
        let simd = ctx.device().simd();
        channels::run(ctx, [b, s, d], 3, state, |sequence, range, state, y| {
            if tokens.past == 0 {
                state[2 * BLOCK..].fill(NOTHING);
            }
            let [k, v] = [k, v].map(|it| &it.data()[sequence * s * d..][..s * d]);
            let valid = tokens.valid_new(sequence);
            let (decay, first) = (lanes(&self.decay[range.clone()]), lanes(&self.first[range.clone()]));
            simd.run(Scan { k, v, range, d, decay, first, valid, state, y });
        })
    }
}

/// A block of channels of one sequence.
struct Scan<'a> {
    /// `[S, d]`, of which columns `range` are this block's.
    k: &'a [f32],
    v: &'a [f32],
    range: Range<usize>,
    d: usize,
    decay: [f32; BLOCK],
    first: [f32; BLOCK],
    valid: Option<&'a [bool]>,
    /// Sums of values, sums of weights, exponents.
    state: &'a mut [f32],
    /// `[S, BLOCK]`.
    y: &'a mut [f32],
}

impl Kernel for Scan<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let (sums, exponents) = self.state.split_at_mut(2 * BLOCK);
        let (values, weights) = sums.split_at_mut(BLOCK);
        for (token, y) in self.y.chunks_exact_mut(BLOCK).enumerate() {
            if self.valid.is_some_and(|valid| !valid[token]) {
                continue;
            }
            let row = token * self.d + self.range.start..token * self.d + self.range.end;
            let [k, v] = [self.k, self.v].map(|it| lanes(&it[row.clone()]));
            for lane in 0..BLOCK {
                let (held, fresh) = shares::<FMA>(exponents[lane], self.first[lane] + k[lane]).1;
                let sum = mul_add::<FMA>(held, values[lane], fresh * v[lane]);
                y[lane] = sum / mul_add::<FMA>(held, weights[lane], fresh);
                let (exponent, (held, fresh)) = shares::<FMA>(exponents[lane] + self.decay[lane], k[lane]);
                exponents[lane] = exponent;
                values[lane] = mul_add::<FMA>(held, values[lane], fresh * v[lane]);
                weights[lane] = mul_add::<FMA>(held, weights[lane], fresh);
            }
        }
    }
}

/// The larger of two exponents, and the exponentials of both relative to it.
#[inline(always)]
fn shares<const FMA: bool>(a: f32, b: f32) -> (f32, (f32, f32)) {
    let most = if a > b { a } else { b };
    (most, (exp::<FMA>(a - most), exp::<FMA>(b - most)))
}
