//! Linear attention in chunks; a chunk of one token is the recurrence.

use formwork_tensor::lanes::{dots, exp, mul_add};
use formwork_tensor::{Context, Kernel, Tensor, Tokens, threads};

use super::CHUNK;
use crate::recurrent::RecurrentState;

/// What makes queries and keys positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureMap {
    /// `elu(x) + 1`: `x + 1` above zero, `e^x` below.
    EluPlusOne,
    /// The softmax over a head's features.
    Softmax,
}

/// Causal linear attention over `q` `[B, S, H, e]`, `k` `[B, S, K, e]` and `v` `[B, S, K, d]`; padding adds nothing to the state.
pub fn linear_attention(
    ctx: &Context,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    features: FeatureMap,
    tokens: &Tokens,
    state: &mut RecurrentState,
) -> Tensor {
    state.expect_before(tokens);
    sweep(ctx, [q, k, v], features, tokens, state, CHUNK, true)
}

/// Every token sees every other.
pub fn linear_attention_full(ctx: &Context, q: &Tensor, k: &Tensor, v: &Tensor, features: FeatureMap, tokens: &Tokens) -> Tensor {
    let [b, s, kv_heads, e] = k.axes("linear_attention");
    let [_, _, _, d] = v.axes("linear_attention");
    let mut state = RecurrentState::new(b, kv_heads, e * (d + 1));
    sweep(ctx, [q, k, v], features, tokens, &mut state, s, false)
}

/// One pass over chunks of `chunk` tokens. Results stand as `[B, S, K, G·d]`, which is `[B, S, H, d]`.
fn sweep(
    ctx: &Context,
    [q, k, v]: [&Tensor; 3],
    features: FeatureMap,
    tokens: &Tokens,
    state: &mut RecurrentState,
    chunk: usize,
    causal: bool,
) -> Tensor {
    let [b, s, heads, e] = q.axes("linear_attention");
    let [_, _, kv_heads, d] = v.axes("linear_attention");
    let group = heads / kv_heads;
    let simd = ctx.device().simd();
    let y = state.run(ctx, [b, s, group * d], |sequence, kv_head, state, rows| {
        let valid = tokens.valid_new(sequence);
        threads::scratch(chunk.min(s) * (1 + group) * e, |scratch| {
            for first in (0..s).step_by(chunk) {
                let len = chunk.min(s - first);
                let token = |step: usize| sequence * s + first + step;
                let (keys, queries) = scratch.split_at_mut(len * e);
                for step in 0..len {
                    let key = &k.data()[(token(step) * kv_heads + kv_head) * e..][..e];
                    let row = &mut keys[step * e..][..e];
                    row.copy_from_slice(key);
                    features.apply(simd, row);
                    if valid.is_some_and(|valid| !valid[first + step]) {
                        row.fill(0.0);
                    }
                    for g in 0..group {
                        let query = &q.data()[(token(step) * heads + kv_head * group + g) * e..][..e];
                        let row = &mut queries[(step * group + g) * e..][..e];
                        row.copy_from_slice(query);
                        features.apply(simd, row);
                    }
                }
                let values = &v.data()[(token(0) * kv_heads + kv_head) * d..];
                let y = &mut rows[first * group * d..][..len * group * d];
                simd.run(Chunk { queries, keys, values, value_stride: kv_heads * d, state, y, dims: [len, group, e, d], causal });
            }
        });
    });
    y.reshape(&[b, s, heads, d])
}

impl FeatureMap {
    fn apply(self, simd: formwork_tensor::Simd, x: &mut [f32]) {
        simd.run(Features { map: self, x });
    }
}

struct Features<'a> {
    map: FeatureMap,
    x: &'a mut [f32],
}

impl Kernel for Features<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        match self.map {
            FeatureMap::EluPlusOne => self.x.iter_mut().for_each(|x| {
                let below = exp::<FMA>(*x);
                *x = if *x > 0.0 { *x + 1.0 } else { below };
            }),
            FeatureMap::Softmax => {
                let max = self.x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                self.x.iter_mut().for_each(|x| *x = exp::<FMA>(*x - max));
                let inverse = 1.0 / self.x.iter().sum::<f32>();
                self.x.iter_mut().for_each(|x| *x *= inverse);
            }
        }
    }
}

/// One chunk of one key head: `dims` are its tokens, the queries of a key, and the widths of a key and a value.
struct Chunk<'a> {
    queries: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    value_stride: usize,
    /// `S` `[e, d]`, then `z` `[e]`.
    state: &'a mut [f32],
    y: &'a mut [f32],
    dims: [usize; 4],
    causal: bool,
}

impl Kernel for Chunk<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let [len, group, e, d] = self.dims;
        let value = |step: usize| &self.values[step * self.value_stride..][..d];
        let (sums, norms) = self.state.split_at_mut(e * d);
        for (row, y) in self.y.chunks_exact_mut(d).enumerate() {
            let query = &self.queries[row * e..][..e];
            y.fill(0.0);
            let mut norm = dots::<1, N, FMA>(query, norms, e)[0];
            for (weight, sum) in query.iter().zip(sums.chunks_exact(d)) {
                add::<FMA>(y, *weight, sum);
            }
            let seen = if self.causal { row / group + 1 } else { len };
            for step in 0..seen {
                let weight = dots::<1, N, FMA>(query, &self.keys[step * e..], e)[0];
                norm += weight;
                add::<FMA>(y, weight, value(step));
            }
            let inverse = if norm > 0.0 { 1.0 / norm } else { 0.0 };
            y.iter_mut().for_each(|y| *y *= inverse);
        }
        for step in 0..len {
            let key = &self.keys[step * e..][..e];
            for ((weight, sum), norm) in key.iter().zip(sums.chunks_exact_mut(d)).zip(norms.iter_mut()) {
                add::<FMA>(sum, *weight, value(step));
                *norm += weight;
            }
        }
    }
}

/// `y += weight · x`.
#[inline(always)]
pub(crate) fn add<const FMA: bool>(y: &mut [f32], weight: f32, x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y = mul_add::<FMA>(weight, *x, *y));
}
