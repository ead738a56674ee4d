//! The chunks, head by head.

use formwork_tensor::lanes::exp;
use formwork_tensor::{Context, Kernel, Tensor, Tokens, threads};

use super::product::add_product;
use crate::recurrent::RecurrentState;

/// What one token does to a head's matrix.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    /// `g`, at most 0.
    pub(crate) decay: f32,
    /// `w`.
    pub(crate) weight: f32,
}

/// The operands of all heads; those of `queries` and `keys` are shared among equal groups of heads.
pub(crate) struct Heads<'a> {
    /// `[B, S, G, e]`.
    pub(crate) queries: &'a Tensor,
    /// `[B, S, G, e]`.
    pub(crate) keys: &'a Tensor,
    /// `[B, S, H, d]`.
    pub(crate) values: &'a Tensor,
    /// Tokens that are computed together.
    pub(crate) chunk: usize,
    /// For each head, how much of a value goes straight into the result.
    pub(crate) skip: Option<&'a [f32]>,
}

impl Heads<'_> {
    /// `[B, S, H, d]`; `source(token, head)` counts tokens over all sequences. Padding changes nothing.
    pub(crate) fn run(
        &self,
        ctx: &Context,
        tokens: &Tokens,
        state: &mut RecurrentState,
        source: impl Fn(usize, usize) -> Source + Sync,
    ) -> Tensor {
        state.expect_before(tokens);
        let [b, s, groups, e] = self.keys.axes("a decaying state");
        let [_, _, heads, d] = self.values.axes("a decaying state");
        let simd = ctx.device().simd();
        state.run(ctx, [b, s, d], |sequence, head, state, rows| {
            let valid = tokens.valid_new(sequence);
            let group = head / (heads / groups);
            let longest = self.chunk.min(s);
            threads::scratch(longest * (2 * e + d + longest + 1), |scratch| {
                for first in (0..s).step_by(longest) {
                    let len = longest.min(s - first);
                    let (queries, rest) = scratch.split_at_mut(len * e);
                    let (keys, rest) = rest.split_at_mut(len * e);
                    let (values, rest) = rest.split_at_mut(len * d);
                    let (scores, rest) = rest.split_at_mut(len * len);
                    let sums = &mut rest[..len];
                    let y = &mut rows[first * d..][..len * d];
                    let mut sum = 0.0;
                    for step in 0..len {
                        let token = sequence * s + first + step;
                        let counts = valid.is_none_or(|valid| valid[first + step]);
                        let Source { decay, weight } = source(token, head);
                        let weight = if counts { weight } else { 0.0 };
                        sum += if counts { decay } else { 0.0 };
                        sums[step] = sum;
                        let from = (token * groups + group) * e;
                        queries[step * e..][..e].copy_from_slice(&self.queries.data()[from..][..e]);
                        let key = &self.keys.data()[from..][..e];
                        key.iter().enumerate().for_each(|(at, x)| keys[at * len + step] = *x);
                        let value = &self.values.data()[(token * heads + head) * d..][..d];
                        let straight = self.skip.map_or(0.0, |skip| skip[head]);
                        for (at, x) in value.iter().enumerate() {
                            values[step * d + at] = weight * x;
                            y[step * d + at] = straight * x;
                        }
                    }
                    simd.run(Chunk { queries, keys, values, scores, sums, state, y, dims: [len, e, d] });
                }
            });
        })
    }
}

/// One chunk of one head: `dims` are its tokens and the widths of a key and a value.
struct Chunk<'a> {
    queries: &'a mut [f32],
    /// `[e, len]`.
    keys: &'a mut [f32],
    /// `w·v`.
    values: &'a [f32],
    scores: &'a mut [f32],
    /// The sums of `g`.
    sums: &'a [f32],
    state: &'a mut [f32],
    /// Added to.
    y: &'a mut [f32],
    dims: [usize; 3],
}

impl Kernel for Chunk<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let [len, e, d] = self.dims;
        self.scores.fill(0.0);
        add_product::<N, FMA>(self.scores, self.queries, self.keys, [len, e, len]);
        for (i, scores) in self.scores.chunks_exact_mut(len).enumerate() {
            for (j, score) in scores.iter_mut().enumerate() {
                // A later token's difference is above 0: it does not count.
                let kept = exp::<FMA>((self.sums[i] - self.sums[j]).min(0.0));
                *score *= if j > i { 0.0 } else { kept };
            }
        }
        add_product::<N, FMA>(self.y, self.scores, self.values, [len, len, d]);
        for (query, sum) in self.queries.chunks_exact_mut(e).zip(self.sums) {
            let kept = exp::<FMA>(*sum);
            query.iter_mut().for_each(|x| *x *= kept);
        }
        add_product::<N, FMA>(self.y, self.queries, self.state, [len, e, d]);
        let total = self.sums[len - 1];
        let kept = exp::<FMA>(total);
        self.state.iter_mut().for_each(|x| *x *= kept);
        let left = &mut self.scores[..len];
        left.iter_mut().zip(self.sums).for_each(|(left, sum)| *left = exp::<FMA>(total - sum));
        for key in self.keys.chunks_exact_mut(len) {
            key.iter_mut().zip(&*left).for_each(|(x, left)| *x *= left);
        }
        add_product::<N, FMA>(self.state, self.keys, self.values, [e, len, d]);
    }
}
