//! Attention that rotates its queries and keys itself.

use formwork_tensor::{Context, Tensor, Tokens};

use super::kernel::Attention;
use super::slots::Source;
use crate::rope::Rope;

/// One attention call over rotated queries and keys.
pub struct Rotated<'a> {
    pub(crate) attention: Attention<'a>,
    pub(crate) rope: &'a Rope,
}

impl Rotated<'_> {
    /// As [`Attention::run`], where the queries are those of the keys' tokens: the bits of rotating both beforehand. On the way
    /// into a cache it takes one pass.
    pub fn run(mut self, ctx: &Context, mut q: Tensor, k: Tensor, v: &Tensor, tokens: &Tokens) -> Tensor {
        let reach = self.attention.mask.reach();
        let sizes = self.attention.sizes(&q, &k, v, tokens);
        let Some(cache) = self.attention.cache.take_if(|cache| cache.keeps(tokens.len(), reach)) else {
            let [q, k] = [q, k].map(|x| self.rope.apply(ctx, x, tokens));
            return self.attention.run(ctx, &q, &k, v, tokens);
        };
        assert_eq!(q.shape()[..2], k.shape()[..2], "queries and keys of the same tokens");
        cache.append_rotated(ctx, &k, v, &self.rope.turns_of(ctx, &k, tokens), &mut q);
        self.attention.attend(ctx, &q, Source::Cache(cache), sizes, tokens)
    }
}
