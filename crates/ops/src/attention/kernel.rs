//! Softmax attention with grouped key/value heads, a mask, and an optional cache.

use formwork_tensor::{Context, Tensor, Tokens};

use super::by_distance::Tables;
use super::call::{Call, Form};
use super::distances::Distances;
use super::kv_cache::KvCache;
use super::mask::Mask;
use super::rotated::Rotated;
use super::slots::Source;
use crate::rope::Rope;

/// One attention call.
pub struct Attention<'a> {
    pub(crate) mask: Mask,
    pub(crate) scale: f32,
    pub(crate) softcap: Option<f32>,
    pub(crate) alibi: Option<f32>,
    pub(crate) bias: Option<&'a Tensor>,
    pub(crate) tables: Option<Tables<'a>>,
    pub(crate) sinks: Option<&'a Tensor>,
    pub(crate) cache: Option<&'a mut KvCache>,
}

impl<'a> Attention<'a> {
    /// Scores are multiplied by `scale`.
    pub fn new(mask: Mask, scale: f32) -> Self {
        Self {
            mask,
            scale,
            softcap: None,
            alibi: None,
            bias: None,
            tables: None,
            sinks: None,
            cache: None,
        }
    }

    /// Scores become `c · tanh(score / c)`.
    pub fn softcap(mut self, c: f32) -> Self {
        self.softcap = Some(c);
        self
    }

    /// Subtracts `factor · slope · |i - j|` from the scores, with the slope of each head.
    pub fn alibi(mut self, factor: f32) -> Self {
        self.alibi = Some(factor);
        self
    }

    /// Adds `[H, S + T - 1]` to the scores, of which number `j - i + S - 1` is added to that of query `i` on key `j`, both counted to the
    /// last one.
    pub fn bias(mut self, bias: &'a Tensor) -> Self {
        self.bias = Some(bias);
        self
    }

    /// Adds, before scores are scaled, the product of a query and the row of a table `[R, H, e]` that stands for its distance from a key,
    /// and the product of the key and such a row of another table. Every head has keys of its own, and there is no cache.
    pub fn by_distance(mut self, distances: Distances, of_queries: Option<&'a Tensor>, of_keys: Option<&'a Tensor>) -> Self {
        self.tables = Some(Tables { distances, of_queries, of_keys });
        self
    }

    /// Adds one score per head `[H]` that takes part in the softmax and has no value.
    pub fn sinks(mut self, sinks: &'a Tensor) -> Self {
        self.sinks = Some(sinks);
        self
    }

    /// The keys are those of the cache and then the new ones, which are appended to it.
    pub fn cached(mut self, cache: &'a mut KvCache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Queries and keys are rotated first.
    pub fn rotated(self, rope: &'a Rope) -> Rotated<'a> {
        Rotated { attention: self, rope }
    }

    /// `q` `[B, S, H, e]`, `k` `[B, T, K, e]`, `v` `[B, T, K, d]` to `[B, S, H, d]`; `tokens` are
    /// those of the keys. A query that sees no key gives zeros.
    pub fn run(mut self, ctx: &Context, q: &Tensor, k: &Tensor, v: &Tensor, tokens: &Tokens) -> Tensor {
        let sizes = self.sizes(q, k, v, tokens);
        let Some(cache) = self.cache.take() else {
            return self.attend(ctx, q, Source::Tensors(k, v), sizes, tokens);
        };
        if cache.keeps(tokens.len(), self.mask.reach()) {
            cache.append(ctx, k, v);
            return self.attend(ctx, q, Source::Cache(cache), sizes, tokens);
        }
        // A ring that is about to drop keys which some of the new tokens see.
        let y = self.attend(ctx, q, Source::Cache(&cache.extended(ctx, k, v)), sizes, tokens);
        cache.append(ctx, k, v);
        y
    }

    /// The key heads and the width of a value `[K, d]`, of operands that belong together.
    pub(crate) fn sizes(&self, q: &Tensor, k: &Tensor, v: &Tensor, tokens: &Tokens) -> [usize; 2] {
        let ([_, _, kv_heads, d], e) = (v.axes("attention"), q.dims().width());
        assert_eq!(k.shape()[2..], [kv_heads, e], "queries and keys have one width");
        assert_eq!(k.shape()[..3], v.shape()[..3], "every key has a value");
        match &self.cache {
            Some(cache) => {
                assert_eq!(tokens.past, cache.len(), "the cache holds the tokens of earlier steps");
                assert_eq!(tokens.len(), k.shape()[1], "the new keys are those of the new tokens");
            }
            None => assert_eq!(tokens.slots(), k.shape()[1], "one key per token"),
        }
        [kv_heads, d]
    }

    /// `[K, d]` are the key heads and the width of a value.
    pub(crate) fn attend(&self, ctx: &Context, q: &Tensor, source: Source<'_>, [kv_heads, d]: [usize; 2], tokens: &Tokens) -> Tensor {
        let [b, s, heads, _] = q.axes("attention");
        let slots = tokens.slots();
        assert_eq!(tokens.batch(), b, "queries and keys of one batch");
        if let Some(bias) = self.bias {
            assert_eq!(bias.shape(), [heads, s + slots - 1], "one bias per head and distance");
        }
        if let Some(tables) = self.tables {
            assert!(heads == kv_heads && s == slots && matches!(source, Source::Tensors(..)), "every key is that of a query");
            let are_alike = |table: &Tensor| table.shape()[1..] == [heads, q.dims().width()];
            assert!([tables.of_queries, tables.of_keys].into_iter().flatten().all(are_alike), "vectors as wide as queries");
        }
        if let Some(sinks) = self.sinks {
            assert_eq!(sinks.shape(), [heads], "one sink per head");
        }
        let seen = |slot: usize, valid: Option<&[bool]>| self.mask.seen(slot, slots, valid);
        let form = Form { q, seen: &seen };
        Call { attention: self, forms: &[form], source, tokens }.run(ctx, kv_heads, d)
    }
}
