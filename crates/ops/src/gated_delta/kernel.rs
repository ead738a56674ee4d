//! The gated delta rule in chunks; a chunk of one token is the recurrence.
//!
//! With `G_i` the sum of `g` up to a chunk's token `i` and `S` the matrix before the chunk, the corrections
//! `u_i = β_i · (v_i - e^(G_i)·Sᵀk_i - Σ_(j<i) e^(G_i - G_j)·(k_i·k_j)·u_j)` follow one from another, and
//! `y_i = e^(G_i)·Sᵀq_i + Σ_(j≤i) e^(G_i - G_j)·(q_i·k_j)·u_j`; after it `S ← e^G·S + Σ e^(G - G_j)·k_j·u_jᵀ`.

use formwork_tensor::lanes::{dots, exp};
use formwork_tensor::{Context, Kernel, Tensor, Tokens, threads};

use super::CHUNK;
use crate::linear_attention::add;
use crate::recurrent::RecurrentState;

/// Keeps lengths away from zero.
const EPS: f32 = 1e-6;

/// `q` and `k` `[B, S, K, e]`, `v` `[B, S, H, d]`, `log_decay` and `beta` `[B, S, H]` to `[B, S, H, d]`; padding changes nothing.
pub fn gated_delta(
    ctx: &Context,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    log_decay: &Tensor,
    beta: &Tensor,
    tokens: &Tokens,
    state: &mut RecurrentState,
) -> Tensor {
    state.expect_before(tokens);
    let [b, s, key_heads, e] = q.axes("gated_delta");
    let [_, _, heads, d] = v.axes("gated_delta");
    let simd = ctx.device().simd();
    state.run(ctx, [b, s, d], |sequence, head, state, rows| {
        let valid = tokens.valid_new(sequence);
        let key_head = head / (heads / key_heads);
        let longest = CHUNK.min(s);
        threads::scratch(longest * (2 * e + d + 2), |scratch| {
            for first in (0..s).step_by(CHUNK) {
                let len = CHUNK.min(s - first);
                let (queries, rest) = scratch.split_at_mut(longest * e);
                let (keys, rest) = rest.split_at_mut(longest * e);
                let (corrections, rest) = rest.split_at_mut(longest * d);
                let (decays, betas) = rest.split_at_mut(longest);
                let mut decay = 0.0;
                for step in 0..len {
                    let token = sequence * s + first + step;
                    let from = (token * key_heads + key_head) * e;
                    queries[step * e..][..e].copy_from_slice(&q.data()[from..][..e]);
                    keys[step * e..][..e].copy_from_slice(&k.data()[from..][..e]);
                    let counts = valid.is_none_or(|valid| valid[first + step]);
                    decay += if counts { log_decay.data()[token * heads + head] } else { 0.0 };
                    decays[step] = decay;
                    betas[step] = if counts { beta.data()[token * heads + head] } else { 0.0 };
                }
                let values = &v.data()[((sequence * s + first) * heads + head) * d..];
                let y = &mut rows[first * d..][..len * d];
                let corrections = &mut corrections[..len * d];
                let value_stride = heads * d;
                let dims = [len, e, d];
                simd.run(Chunk { queries, keys, corrections, decays, betas, values, value_stride, state, y, dims });
            }
        });
    })
}

/// One chunk of one head: `dims` are its tokens and the widths of a key and a value.
struct Chunk<'a> {
    queries: &'a mut [f32],
    keys: &'a mut [f32],
    corrections: &'a mut [f32],
    /// The sums of `g`.
    decays: &'a [f32],
    betas: &'a [f32],
    values: &'a [f32],
    value_stride: usize,
    state: &'a mut [f32],
    y: &'a mut [f32],
    dims: [usize; 3],
}

impl Kernel for Chunk<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let [len, e, d] = self.dims;
        let scale = 1.0 / (e as f32).sqrt();
        for row in 0..len {
            normalise::<N, FMA>(&mut self.queries[row * e..][..e], scale);
            normalise::<N, FMA>(&mut self.keys[row * e..][..e], 1.0);
        }
        let keys = &*self.keys;
        let decay = |i: usize, j: usize| exp::<FMA>(self.decays[i] - self.decays[j]);
        for i in 0..len {
            let (before, rest) = self.corrections.split_at_mut(i * d);
            let u = &mut rest[..d];
            u.copy_from_slice(&self.values[i * self.value_stride..][..d]);
            let key = &keys[i * e..][..e];
            read::<FMA>(u, -exp::<FMA>(self.decays[i]), key, self.state);
            for (j, earlier) in before.chunks_exact(d).enumerate() {
                let product = dots::<1, N, FMA>(key, &keys[j * e..], e)[0];
                add::<FMA>(u, -product * decay(i, j), earlier);
            }
            u.iter_mut().for_each(|u| *u *= self.betas[i]);
        }
        for (i, y) in self.y.chunks_exact_mut(d).enumerate() {
            let query = &self.queries[i * e..][..e];
            y.fill(0.0);
            read::<FMA>(y, exp::<FMA>(self.decays[i]), query, self.state);
            for (j, u) in self.corrections.chunks_exact(d).enumerate().take(i + 1) {
                let product = dots::<1, N, FMA>(query, &keys[j * e..], e)[0];
                add::<FMA>(y, product * decay(i, j), u);
            }
        }
        let kept = exp::<FMA>(self.decays[len - 1]);
        self.state.iter_mut().for_each(|x| *x *= kept);
        for (j, u) in self.corrections.chunks_exact(d).enumerate() {
            let weight = decay(len - 1, j);
            for (key, row) in keys[j * e..][..e].iter().zip(self.state.chunks_exact_mut(d)) {
                add::<FMA>(row, weight * key, u);
            }
        }
    }
}

/// `y += factor · Sᵀ·x`.
#[inline(always)]
pub(super) fn read<const FMA: bool>(y: &mut [f32], factor: f32, x: &[f32], state: &[f32]) {
    let d = y.len();
    for (x, row) in x.iter().zip(state.chunks_exact(d)) {
        add::<FMA>(y, factor * x, row);
    }
}

/// `x · factor / |x|`.
#[inline(always)]
pub(super) fn normalise<const N: usize, const FMA: bool>(x: &mut [f32], factor: f32) {
    let length = (dots::<1, N, FMA>(x, x, x.len())[0] + EPS).sqrt();
    x.iter_mut().for_each(|x| *x *= factor / length);
}
