//! Sparse attention over the listed keys of a pattern.

use formwork_tensor::{Context, Tensor, Tokens};

use crate::Pattern;
use crate::attention::KvCache;
use crate::attention::listed::attend;
use crate::attention::slots::Source;

/// Causal attention over `q` `[B, S, H, e]`, `k` `[B, S, K, e]` and `v` `[B, S, K, d]`.
pub fn sparse_attention(
    ctx: &Context,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    pattern: Pattern,
    scale: f32,
    tokens: &Tokens,
    cache: &mut KvCache,
) -> Tensor {
    assert_eq!(tokens.past, cache.len(), "the cache holds the tokens of earlier steps");
    cache.append(ctx, k, v);
    run(ctx, q, Source::Cache(cache), v, pattern, scale, tokens)
}

/// The same where the pattern sees the future.
pub fn sparse_attention_full(
    ctx: &Context,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    pattern: Pattern,
    scale: f32,
    tokens: &Tokens,
) -> Tensor {
    run(ctx, q, Source::Tensors(k, v), v, pattern, scale, tokens)
}

fn run(ctx: &Context, q: &Tensor, source: Source<'_>, v: &Tensor, pattern: Pattern, scale: f32, tokens: &Tokens) -> Tensor {
    let [_, _, kv_heads, d] = v.axes("sparse_attention");
    let slots = tokens.slots();
    attend(ctx, q, source, [kv_heads, d], scale, tokens, |sequence, step, see| {
        let valid = tokens.valid_row(sequence);
        let padding = valid.map_or(0, |valid| valid.iter().take_while(|v| !**v).count());
        let Some(i) = (tokens.past + step).checked_sub(padding) else { return };
        pattern.for_each(i, slots - padding, &mut |keys| {
            let keys = keys.start + padding..keys.end + padding;
            keys.filter(|slot| valid.is_none_or(|valid| valid[*slot])).for_each(&mut *see);
        });
    })
}
