//! Dual chunk attention: three forms of the query over three stretches of one cache.

use formwork_tensor::{Context, Tensor, Tokens};

use crate::attention::call::{Call, Form};
use crate::attention::slots::Source;
use crate::attention::{Attention, KvCache, Mask};
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
    cache.append(ctx, &within(k), v);
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
    /// Where the chunk of a query begins, the one before it, and the sequence.
    fn stretches(slot: usize, valid: Option<&[bool]>, chunk: usize) -> [usize; 3] {
        let padding = valid.map_or(0, |valid| valid.iter().take_while(|v| !**v).count());
        let own = slot - slot.saturating_sub(padding) % chunk;
        [own, own.saturating_sub(chunk).max(padding.min(own)), padding.min(slot)]
    }
    let earlier = |slot: usize, valid: Option<&[bool]>| {
        let [_, before, first] = stretches(slot, valid, chunk);
        first..before
    };
    let last = |slot: usize, valid: Option<&[bool]>| {
        let [own, before, _] = stretches(slot, valid, chunk);
        before..own
    };
    let same = |slot: usize, valid: Option<&[bool]>| stretches(slot, valid, chunk)[0]..slot + 1;
    let [a, b, c] = queries;
    let forms = [Form { q: a, seen: &earlier }, Form { q: b, seen: &last }, Form { q: c, seen: &same }];
    let attention = Attention::new(Mask::Causal, scale);
    Call { attention: &attention, forms: &forms, source: Source::Cache(cache), tokens }.run(ctx, kv_heads, d)
}
