//! The parts of tiny.

use super::config::{ATTENTION_SCALE, D_FF, D_HEAD, D_MODEL, EPS, N_HEADS, N_KV_HEADS, ROPE};
use formwork_runtime::{
    Attention, Context, Gate, KvCache, Linear, Mask, Normed, RmsNorm, Rope, Tensor, Tokens, Weights,
};

/// Self-attention of the chosen kind.
pub struct SelfAttention {
    q: Linear,
    k: Linear,
    v: Linear,
    rope: Rope,
    o: Linear,
}

impl SelfAttention {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            q: w.linear("q", D_MODEL, N_HEADS * D_HEAD),
            k: w.linear("k", D_MODEL, N_KV_HEADS * D_HEAD),
            v: w.fine().linear("v", D_MODEL, N_KV_HEADS * D_HEAD),
            rope: Rope::new(ROPE),
            o: w.fine().linear("o", N_HEADS * D_HEAD, D_MODEL),
        }
    }

    /// `[B, S, D_MODEL]` and `[B, S, D_MODEL]` to `[B, S, D_MODEL]`.
    pub fn forward(
        &self,
        ctx: &Context,
        x: &Normed<'_>,
        tokens: &Tokens,
        residual: &Tensor,
        cache: &mut KvCache,
    ) -> Tensor {
        let [q, k, v] = Linear::forward_all(ctx, [&self.q, &self.k, &self.v], x);
        let q = q.split_heads(N_HEADS);
        let k = k.split_heads(N_KV_HEADS);
        let v = v.split_heads(N_KV_HEADS);
        let y = Attention::new(Mask::Causal, ATTENTION_SCALE)
            .cached(cache)
            .rotated(&self.rope)
            .run(ctx, q, k, &v, tokens);
        self.o.forward_onto(ctx, &y.merge_heads(), residual)
    }
}

/// Two matrices around a nonlinearity, or three with a gate.
pub struct FeedForward {
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl FeedForward {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            gate: w.linear("gate", D_MODEL, D_FF),
            up: w.linear("up", D_MODEL, D_FF),
            down: w.linear("down", D_FF, D_MODEL),
        }
    }

    /// `[B, S, D_MODEL]` and `[B, S, D_MODEL]` to `[B, S, D_MODEL]`.
    pub fn forward(&self, ctx: &Context, x: &Normed<'_>, residual: &Tensor) -> Tensor {
        let h = Linear::forward_gated(ctx, [&self.gate, &self.up], x, Gate::Silu);
        self.down.forward_onto(ctx, &h, residual)
    }
}

/// One layer.
pub struct Layer {
    attn_norm: RmsNorm,
    attn: SelfAttention,
    ffn_norm: RmsNorm,
    ffn: FeedForward,
}

impl Layer {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            attn_norm: w.rms_norm("attn_norm", D_MODEL, EPS),
            attn: SelfAttention::load(&w.at("attn")),
            ffn_norm: w.rms_norm("ffn_norm", D_MODEL, EPS),
            ffn: FeedForward::load(&w.at("ffn")),
        }
    }

    /// `[B, S, D_MODEL]` to `[B, S, D_MODEL]`.
    pub fn forward(
        &self,
        ctx: &Context,
        x: &Tensor,
        tokens: &Tokens,
        cache: &mut KvCache,
    ) -> Tensor {
        let h = self.attn_norm.deferred(x);
        let x = self.attn.forward(ctx, &h, tokens, x, cache);
        let h = self.ffn_norm.deferred(&x);
        self.ffn.forward(ctx, &h, &x)
    }
}
