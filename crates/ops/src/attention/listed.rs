//! Attention over listed keys: they are gathered, and nothing else is looked at.

use formwork_tensor::{Context, Tensor, Tokens, threads};

use super::kv_cache::{KvCache, Segment};
use super::row::Row;
use crate::row_cache::RowCache;

/// The keys and values that a list points into, in the order of their slots.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// Those of this step and of all earlier ones.
    Cache(&'a KvCache),
    /// `[B, T, K, e]` and `[B, T, K, d]`.
    Tensors(&'a Tensor, &'a Tensor),
    /// Rows that all heads share, whose leading parts are the values.
    Rows(&'a RowCache),
}

impl<'a> Source<'a> {
    fn segment(self, sequence: usize, head: usize, slots: usize) -> Segment<'a> {
        match self {
            Self::Cache(cache) => cache.segment(sequence, head, 0, slots),
            Self::Rows(cache) => cache.segment(sequence),
            Self::Tensors(k, v) => {
                let ([_, t, heads, e], [_, _, _, d]) = (k.axes("attention"), v.axes("attention"));
                let row = sequence * t * heads + head;
                Segment {
                    keys: &k.data()[row * e..],
                    values: &v.data()[row * d..],
                    key_stride: heads * e,
                    value_stride: heads * d,
                    len: t,
                    ..Segment::default()
                }
            }
        }
    }
}

/// `q` `[B, S, H, e]` to `[B, S, H, d]`. `list(sequence, step, see)` calls `see` with each slot that a new token sees, padding
/// left out; it is called twice for each token and head. `[K, d]` are the key heads and the width of a value.
pub(crate) fn attend(
    ctx: &Context,
    q: &Tensor,
    source: Source<'_>,
    [kv_heads, d]: [usize; 2],
    scale: f32,
    tokens: &Tokens,
    list: impl Fn(usize, usize, &mut dyn FnMut(usize)) + Sync,
) -> Tensor {
    let [b, s, heads, e] = q.axes("attention");
    let slots = tokens.slots();
    let mut y = ctx.tensor(&[b, s, heads, d]);
    let simd = ctx.device().simd();
    ctx.device().threads().grid(y.data_mut(), [b, s, heads, d], 16, slots, |sequence, head, mut rows| {
        let from = source.segment(sequence, head / (heads / kv_heads), slots);
        for step in rows.range() {
            let mut count = 0;
            list(sequence, step, &mut |_| count += 1);
            threads::scratch(count * (1 + e + d), |scratch| {
                let (scores, rest) = scratch.split_at_mut(count);
                let (keys, values) = rest.split_at_mut(count * e);
                let mut at = 0;
                list(sequence, step, &mut |slot| {
                    keys[at * e..][..e].copy_from_slice(&from.keys[slot * from.key_stride..][..e]);
                    values[at * d..][..d].copy_from_slice(&from.values[slot * from.value_stride..][..d]);
                    at += 1;
                });
                let row = ((sequence * s + step) * heads + head) * e;
                let gathered =
                    Segment { keys, values, key_stride: e, value_stride: d, len: count, ..Segment::default() };
                simd.run(Row {
                    q: &q.data()[row..][..e],
                    segments: &[gathered],
                    seen: 0..count,
                    valid: None,
                    scale,
                    scores,
                    y: rows.row(step),
                });
            });
        }
    });
    y
}
