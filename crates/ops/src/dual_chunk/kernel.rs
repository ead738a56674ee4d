//! Dual chunk attention: three forms of the query over three stretches of one cache.

use formwork_tensor::{Context, Tensor, Tokens, threads};

use crate::attention::KvCache;
use crate::attention::kv_cache::Segment;
use crate::attention::row::Row;
use crate::rope::{Rope, RopeConfig};

/// `q` `[B, S, H, e]`, `k` `[B, S, K, e]` (neither rotated) and `v` `[B, S, K, d]` to `[B, S, H, d]`.
pub fn dual_chunk_attention(
    ctx: &Context,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    config: RopeConfig,
    chunk: usize,
    trained: usize,
    scale: f32,
    tokens: &Tokens,
    cache: &mut KvCache,
) -> Tensor {
    assert_eq!(tokens.past, cache.len(), "the cache holds the tokens of earlier steps");
    let rope = Rope::new(config);
    let (s, last) = (chunk as u32, trained as u32 - 1);
    // Tables of chunks of other lengths are other tables.
    let number = |form: u64| form | (chunk as u64) << 2 | (trained as u64) << 33;
    let within = |x: &Tensor| rope.apply_at(ctx, x.clone(), tokens, number(1), |i| i % s);
    let own = within(q);
    let successive = rope.apply_at(ctx, q.clone(), tokens, number(2), |i| (i % s + s).min(last));
    let distant = rope.apply_at(ctx, q.clone(), tokens, number(3), |_| last);
    cache.append(&within(k), v);
    attend(ctx, [&distant, &successive, &own], v.axes("dual_chunk_attention"), chunk, scale, tokens, cache)
}

/// `queries` are their forms for earlier chunks, for the last one and for their own.
fn attend(
    ctx: &Context,
    queries: [&Tensor; 3],
    [_, _, kv_heads, d]: [usize; 4],
    chunk: usize,
    scale: f32,
    tokens: &Tokens,
    cache: &KvCache,
) -> Tensor {
    let [b, s, heads, e] = queries[2].axes("dual_chunk_attention");
    let slots = tokens.slots();
    let mut y = ctx.tensor(&[b, s, heads, d]);
    let simd = ctx.device().simd();
    ctx.device().threads().grid(y.data_mut(), [b, s, heads, d], 16, slots * (e + d), |sequence, head, mut rows| {
        let valid = tokens.valid_row(sequence);
        let padding = valid.map_or(0, |valid| valid.iter().take_while(|v| !**v).count());
        for step in rows.range() {
            let row = ((sequence * s + step) * heads + head) * e;
            let query = queries.map(|q| &q.data()[row..][..e]);
            let (slot, kv_head) = (tokens.past + step, head / (heads / kv_heads));
            let inside = slot.saturating_sub(padding) % chunk;
            let own = slot - inside;
            let before = own.saturating_sub(chunk).max(padding.min(own));
            let stretch = |form: usize, first: usize, end: usize| Segment {
                q: Some(query[form]),
                ..cache.segment(sequence, kv_head, first, end)
            };
            let first = padding.min(slot);
            let segments = [stretch(0, first, before), stretch(1, before, own), stretch(2, own, slot + 1)];
            let seen = first..slot + 1;
            threads::scratch(seen.len(), |scores| {
                simd.run(Row {
                    q: query[2],
                    segments: &segments,
                    seen,
                    valid,
                    scale,
                    scores,
                    y: rows.row(step),
                });
            });
        }
    });
    y
}
