//! The selective scan, token after token, for blocks of channels side by side.

use formwork_tensor::lanes::{exp, mul_add, softplus};
use formwork_tensor::{Context, Kernel, Tensor, Tokens};

use crate::recurrent::RecurrentState;

/// Channels of one task.
const BLOCK: usize = 32;

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
        assert_eq!(tokens.past, state.len(), "the state holds the tokens of earlier steps");
        let [batch, s, d] = x.axes("selective_scan");
        let (n, blocks) = (self.n, d.div_ceil(BLOCK));
        // A task owns the numbers of its channels, then its columns of the result.
        let mut work = ctx.zeros(&[batch * blocks, n + s, BLOCK]);
        let rows = |block: usize| block * BLOCK..(block * BLOCK + BLOCK).min(d);
        for (index, piece) in work.data_mut().chunks_exact_mut((n + s) * BLOCK).enumerate() {
            let (held, range) = (state.sequence(index / blocks), rows(index % blocks));
            for (row, held) in piece.chunks_exact_mut(BLOCK).zip(held.chunks_exact(d)) {
                row[..range.len()].copy_from_slice(&held[range.clone()]);
            }
        }
        let simd = ctx.device().simd();
        ctx.device().threads().chunks(work.data_mut(), (n + s) * BLOCK, |index, piece| {
            let (sequence, block) = (index / blocks, index % blocks);
            let (state, y) = piece.split_at_mut(n * BLOCK);
            let [x, dt] = [x, dt].map(|it| &it.data()[sequence * s * d..][..s * d]);
            let [b, c] = [b, c].map(|it| &it.data()[sequence * s * n..][..s * n]);
            let valid = tokens.valid_row(sequence).map(|valid| &valid[tokens.past..]);
            let rates = &self.rates[block * n * BLOCK..][..n * BLOCK];
            simd.run(Scan { rows: [x, dt], range: rows(block), d, skip: &self.skip[rows(block)], rates, b, c, valid, state, y });
        });
        let mut y = ctx.tensor(&[batch, s, d]);
        for (index, piece) in work.data().chunks_exact((n + s) * BLOCK).enumerate() {
            let (sequence, range) = (index / blocks, rows(index % blocks));
            let (held, result) = piece.split_at(n * BLOCK);
            let of_state = held.chunks_exact(BLOCK).zip(state.sequence_mut(sequence).chunks_exact_mut(d));
            let of_result = result.chunks_exact(BLOCK).zip(y.data_mut()[sequence * s * d..].chunks_exact_mut(d));
            of_state.chain(of_result).for_each(|(from, to)| to[range.clone()].copy_from_slice(&from[..range.len()]));
        }
        state.advance(s);
        y
    }
}

/// A block of channels of one sequence.
struct Scan<'a> {
    /// `x` and `dt` `[S, d]`, of which columns `range` are this block's.
    rows: [&'a [f32]; 2],
    range: std::ops::Range<usize>,
    d: usize,
    skip: &'a [f32],
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
        let (mut x, mut step, mut skip) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
        let width = self.range.len();
        skip[..width].copy_from_slice(self.skip);
        for (token, y) in self.y.chunks_exact_mut(BLOCK).enumerate() {
            if self.valid.is_some_and(|valid| !valid[token]) {
                continue;
            }
            let from = token * self.d + self.range.start;
            x[..width].copy_from_slice(&self.rows[0][from..][..width]);
            step[..width].copy_from_slice(&self.rows[1][from..][..width]);
            let (mut input, mut sum) = ([0.0; BLOCK], [0.0; BLOCK]);
            for lane in 0..BLOCK {
                step[lane] = softplus::<FMA>(step[lane]);
                input[lane] = step[lane] * x[lane];
                sum[lane] = skip[lane] * x[lane];
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
