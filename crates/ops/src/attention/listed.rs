//! Attention over listed keys: they are gathered, and nothing else is looked at.

use formwork_tensor::{Context, Tensor, Tokens, threads};

use super::row::Row;
use super::slots::Source;

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
        let from = [sequence, head / (heads / kv_heads)];
        for step in rows.range() {
            let mut count = 0;
            list(sequence, step, &mut |_| count += 1);
            threads::scratch(count * (1 + e + d), |scratch| {
                let (scores, rest) = scratch.split_at_mut(count);
                let (keys, values) = rest.split_at_mut(count * e);
                let mut at = 0;
                list(sequence, step, &mut |slot| {
                    source.read(from, slot, &mut keys[at * e..][..e], &mut values[at * d..][..d]);
                    at += 1;
                });
                let row = ((sequence * s + step) * heads + head) * e;
                simd.run(Row { q: &q.data()[row..][..e], keys, values, scale, scores, y: rows.row(step) });
            });
        }
    });
    y
}
