//! The real-gated linear recurrent unit, token after token, for blocks of channels side by side.

use std::ops::Range;

use formwork_tensor::lanes::{exp, mul_add, softplus};
use formwork_tensor::{Context, Kernel, Tensor, Tokens};

use crate::channels::{self, BLOCK, lanes};
use crate::recurrent::RecurrentState;

/// `-8·softplus(λ)` for each channel.
#[derive(Clone)]
pub struct RgLru {
    rates: Vec<f32>,
}

impl RgLru {
    /// From `λ` `[d]`.
    pub fn new(lambda: &[f32]) -> Self {
        Self { rates: lambda.iter().map(|x| -8.0 * softplus::<false>(*x)).collect() }
    }

    /// `x` and the gates `i` and `r` `[B, S, d]` to `[B, S, d]`; padding changes nothing.
    pub fn forward(
        &self,
        ctx: &Context,
        x: &Tensor,
        i: &Tensor,
        r: &Tensor,
        tokens: &Tokens,
        state: &mut RecurrentState,
    ) -> Tensor {
        state.expect_before(tokens);
        let [b, s, d] = x.axes("rg_lru");
        let simd = ctx.device().simd();
        channels::run(ctx, [b, s, d], 1, state, |sequence, range, state, y| {
            let [x, i, r] = [x, i, r].map(|it| &it.data()[sequence * s * d..][..s * d]);
            let valid = tokens.valid_new(sequence);
            let positions = tokens.positions.row(sequence);
            let rates = lanes(&self.rates[range.clone()]);
            simd.run(Scan { x, i, r, range, d, rates, positions, valid, state, y });
        })
    }
}

/// A block of channels of one sequence.
struct Scan<'a> {
    /// `[S, d]`, of which columns `range` are this block's.
    x: &'a [f32],
    i: &'a [f32],
    r: &'a [f32],
    range: Range<usize>,
    d: usize,
    rates: [f32; BLOCK],
    positions: &'a [u32],
    valid: Option<&'a [bool]>,
    state: &'a mut [f32],
    /// `[S, BLOCK]`.
    y: &'a mut [f32],
}

impl Kernel for Scan<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        for (token, y) in self.y.chunks_exact_mut(BLOCK).enumerate() {
            if self.valid.is_some_and(|valid| !valid[token]) {
                continue;
            }
            let row = token * self.d + self.range.start..token * self.d + self.range.end;
            let [x, i, r] = [self.x, self.i, self.r].map(|it| lanes(&it[row.clone()]));
            let first = self.positions[token] == 0;
            for lane in 0..BLOCK {
                let log = self.rates[lane] * r[lane];
                let (kept, rest) = (exp::<FMA>(log), 1.0 - exp::<FMA>(2.0 * log));
                let (kept, factor) = if first { (0.0, 1.0) } else { (kept, rest.sqrt()) };
                let held = mul_add::<FMA>(kept, self.state[lane], factor * (i[lane] * x[lane]));
                self.state[lane] = held;
                y[lane] = held;
            }
        }
    }
}
