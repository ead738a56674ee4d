//! Linear attention with a fixed decay for each head, in chunks.

use formwork_tensor::{Context, Tensor, Tokens};

use super::CHUNK;
use crate::decayed::{Heads, Source};
use crate::recurrent::RecurrentState;

/// `q` and `k` `[B, S, H, e]`, `v` `[B, S, H, d]` to `[B, S, H, d]`; padding changes nothing.
pub fn decayed_attention(
    ctx: &Context,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    factor: f32,
    tokens: &Tokens,
    state: &mut RecurrentState,
) -> Tensor {
    let [_, _, heads, _] = q.axes("decayed_attention");
    let rate = |head: usize| factor * (-8.0 * (head + 1) as f32 / heads as f32).exp2();
    let it = Heads { queries: q, keys: k, values: v, chunk: CHUNK, skip: None };
    it.run(ctx, tokens, state, |_, head| Source { decay: -rate(head), weight: 1.0 })
}
