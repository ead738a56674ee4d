//! Latent attention to chosen keys, expanded and absorbed.

use formwork_tensor::{Context, Ids, Tensor, Tokens};

use crate::attention::listed::attend;
use crate::attention::slots::Source;
use crate::dynamic_context::NONE;
use crate::mla::{LatentDecoding, Mla};
use crate::row_cache::RowCache;

/// Latent attention that reads the keys of a list alone.
#[derive(Clone)]
pub struct ChosenMla(Mla);

impl ChosenMla {
    /// The same matrices, read at chosen places.
    pub fn new(mla: Mla) -> Self {
        Self(mla)
    }

    /// `q` `[B, S, H, nope + r]`, `latent` `[B, S, c]`, `rope` `[B, S, 1, r]` and the slots that each token reads to `[B, S, H, d_v]`.
    pub fn forward(
        &self,
        ctx: &Context,
        q: &Tensor,
        latent: &Tensor,
        rope: &Tensor,
        keys: &Ids,
        tokens: &Tokens,
        cache: &mut RowCache,
    ) -> Tensor {
        assert_eq!(tokens.past, cache.len(), "the cache holds the tokens of earlier steps");
        let [b, s, c] = latent.axes("chosen_mla");
        let [_, _, heads, _] = q.axes("chosen_mla");
        cache.append([b, s], [latent, rope]);
        let list = |sequence: usize, step: usize, see: &mut dyn FnMut(usize)| {
            let chosen = keys.row(sequence * s + step).iter().filter(|slot| **slot != NONE);
            chosen.for_each(|slot| see(*slot as usize));
        };
        let scale = self.0.scale;
        match self.0.decoding {
            LatentDecoding::Absorbed if tokens.len() == 1 => {
                let q = self.0.to_latent(ctx, q, c);
                let mixed = attend(ctx, &q, Source::Latents(cache), [1, c], scale, tokens, list);
                self.0.to_values(ctx, &mixed)
            }
            _ => {
                let (k, v) = self.0.keys_and_values(ctx, q, c, cache);
                attend(ctx, q, Source::Tensors(&k, &v), [heads, self.0.d_v], scale, tokens, list)
            }
        }
    }
}
