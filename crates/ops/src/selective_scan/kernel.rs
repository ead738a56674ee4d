//! The selective scan, token after token, for blocks of channels side by side.

use std::ops::Range;

use formwork_tensor::lanes::{exp, mul_add, softplus};
use formwork_tensor::{Context, Kernel, Tensor, Tokens};

use crate::channels::{self, BLOCK, lanes};
use crate::recurrent::RecurrentState;

/// `A` `[d, n]` and `D` `[d]`.
#[derive(Clone)]
pub struct SelectiveScan {
    /// `A` in blocks of channels: `[blocks, n, BLOCK]`, padded with zeros.
    rates: Vec<f32>,
    skip: Vec<f32>,
    n: usize,
}

impl SelectiveScan {
    /// From `A_log` `[d, n]` and `D` `[d]`.
    pub fn new(a_log: &[f32], skip: Vec<f32>) -> Self {
        let n = a_log.len() / skip.len().max(1);
        let mut rates = vec![0.0; skip.len().next_multiple_of(BLOCK) * n];
        for (at, a) in a_log.iter().enumerate() {
            let (channel, i) = (at / n, at % n);
            rates[(channel / BLOCK * n + i) * BLOCK + channel % BLOCK] = -a.exp();
        }
        Self { rates, skip, n }
    }

    /// `x` and `dt` `[B, S, d]`, `b` and `c` `[B, S, n]` to `[B, S, d]`; the state is `[n, d]` for each sequence. Padding changes nothing.
    pub fn forward(
        &self,
        ctx: &Context,
        x: &Tensor,
        dt: &Tensor,
        b: &Tensor,
        c: &Tensor,
        tokens: &Tokens,
        state: &mut RecurrentState,
    ) -> Tensor {
        state.expect_before(tokens);
        let [batch, s, d] = x.axes("selective_scan");
        let n = self.n;
        let simd = ctx.device().simd();
        channels::run(ctx, [batch, s, d], n, state, |sequence, range, state, y| {
            let [x, dt] = [x, dt].map(|it| &it.data()[sequence * s * d..][..s * d]);
            let [b, c] = [b, c].map(|it| &it.data()[sequence * s * n..][..s * n]);
            let valid = tokens.valid_new(sequence);
            let rates = &self.rates[range.start * n..][..n * BLOCK];
            let skip = lanes(&self.skip[range.clone()]);
            simd.run(Scan { x, dt, range, d, skip, rates, b, c, valid, state, y });
        })
    }
}

/// A block of channels of one sequence.
struct Scan<'a> {
    /// `[S, d]`, of which columns `range` are this block's.
    x: &'a [f32],
    dt: &'a [f32],
    range: Range<usize>,
    d: usize,
    skip: [f32; BLOCK],
    /// `[n, BLOCK]`.
    rates: &'a [f32],
    b: &'a [f32],
    c: &'a [f32],
    valid: Option<&'a [bool]>,
    state: &'a mut [f32],
    /// `[S, BLOCK]`.
    y: &'a mut [f32],
}

impl Kernel for Scan<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let n = self.rates.len() / BLOCK;
        for (token, y) in self.y.chunks_exact_mut(BLOCK).enumerate() {
            if self.valid.is_some_and(|valid| !valid[token]) {
                continue;
            }
            let row = token * self.d + self.range.start..token * self.d + self.range.end;
            let x = lanes(&self.x[row.clone()]);
            let mut step = lanes(&self.dt[row]);
            let (mut input, mut sum) = ([0.0; BLOCK], [0.0; BLOCK]);
            for lane in 0..BLOCK {
                step[lane] = softplus::<FMA>(step[lane]);
                input[lane] = step[lane] * x[lane];
                sum[lane] = self.skip[lane] * x[lane];
            }
            let weights = self.b[token * n..].iter().zip(&self.c[token * n..]);
            let rows = self.rates.chunks_exact(BLOCK).zip(self.state.chunks_exact_mut(BLOCK));
            for ((rates, state), (b, c)) in rows.zip(weights) {
                for lane in 0..BLOCK {
                    let kept = exp::<FMA>(step[lane] * rates[lane]);
                    state[lane] = mul_add::<FMA>(kept, state[lane], input[lane] * b);
                    sum[lane] = mul_add::<FMA>(state[lane], *c, sum[lane]);
                }
            }
            y.copy_from_slice(&sum);
        }
    }
}
