//! Softmax attention with grouped key/value heads, a mask, and an optional cache.

use formwork_tensor::{Context, Tensor, Tokens};

use super::call::Call;
use super::kv_cache::{KvCache, Segment};
use super::mask::Mask;

/// One attention call.
pub struct Attention<'a> {
    pub(crate) mask: Mask,
    pub(crate) scale: f32,
    pub(crate) softcap: Option<f32>,
    pub(crate) alibi: Option<f32>,
    pub(crate) bias: Option<&'a Tensor>,
    pub(crate) sinks: Option<&'a Tensor>,
    cache: Option<&'a mut KvCache>,
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

    /// Adds `[H, S, T]` to the scores.
    pub fn bias(mut self, bias: &'a Tensor) -> Self {
        self.bias = Some(bias);
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

    /// `q` `[B, S, H, e]`, `k` `[B, T, K, e]`, `v` `[B, T, K, d]` to `[B, S, H, d]`; `tokens` are
    /// those of the keys. A query that sees no key gives zeros.
    pub fn run(
        mut self,
        ctx: &Context,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        tokens: &Tokens,
    ) -> Tensor {
        let Some(cache) = self.cache.take() else {
            assert_eq!(tokens.slots(), k.shape()[1], "one key per token");
            return self.attend(ctx, q, k, v, tokens, None);
        };
        assert_eq!(
            tokens.past,
            cache.len(),
            "the cache holds the tokens of earlier steps"
        );
        assert_eq!(
            tokens.len(),
            k.shape()[1],
            "the new keys are those of the new tokens"
        );
        if cache.keeps_all(tokens.len()) {
            cache.append(k, v);
            return self.attend(ctx, q, k, v, tokens, Some(cache));
        }
        // A ring that is about to drop rows: attend to them first.
        let y = self.attend(ctx, q, k, v, tokens, Some(cache));
        cache.append(k, v);
        y
    }

    fn attend(
        &self,
        ctx: &Context,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        tokens: &Tokens,
        cache: Option<&KvCache>,
    ) -> Tensor {
        let [b, s, heads, e] = q.axes("attention");
        let [_, _, kv_heads, d] = v.axes("attention");
        assert!(
            heads % kv_heads == 0,
            "{heads} query heads do not share {kv_heads} key heads"
        );
        assert_eq!(
            k.shape()[2..],
            [kv_heads, e],
            "queries and keys have one width"
        );
        assert_eq!(k.shape()[..3], v.shape()[..3], "every key has a value");
        assert_eq!(
            (k.shape()[0], tokens.batch()),
            (b, b),
            "queries and keys of one batch"
        );
        let slots = tokens.slots();
        if let Some(bias) = self.bias {
            assert_eq!(
                bias.shape(),
                [heads, s, slots],
                "one bias per head, query and key"
            );
        }
        if let Some(sinks) = self.sinks {
            assert_eq!(sinks.shape(), [heads], "one sink per head");
        }
        let call = Call { attention: self, q, k, v, tokens, cache };
        call.run(ctx, [b, s, heads, kv_heads, e, d])
    }
}

/// The keys and values of one sequence and head in the order of their slots: those of the cache,
/// and the new ones where the cache does not hold them yet.
pub(crate) fn segments<'a>(
    cache: Option<&'a KvCache>,
    k: &'a Tensor,
    v: &'a Tensor,
    sequence: usize,
    head: usize,
) -> [Segment<'a>; 3] {
    let [_, t, heads, e] = k.axes("attention");
    let [_, _, _, d] = v.axes("attention");
    let first_new = cache.map_or(0, KvCache::len);
    let row = sequence * t * heads + head;
    let new = Segment {
        q: None,
        keys: &k.data()[row * e..],
        values: &v.data()[row * d..],
        key_stride: heads * e,
        value_stride: heads * d,
        first: first_new,
        len: t,
    };
    match cache {
        None => [new, Segment::default(), Segment::default()],
        Some(cache) => {
            let [older, newer] = cache.segments(sequence, head);
            [older, newer, new]
        }
    }
}
