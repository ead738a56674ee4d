//! The parts of stories-260k.

use super::config::{ATTENTION_SCALE, D_FF, D_HEAD, D_MODEL, EPS, N_HEADS, N_KV_HEADS, ROPE};
use formwork_runtime::{
    Attention, Context, Gate, KvCache, Linear, Mask, Normed, RmsNorm, Rope, Tensor, Tokens, Weights,
};

/// Grouped-query attention: query heads share keys and values in groups.
pub struct SelfAttention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    rope: Rope,
    o_proj: Linear,
}

impl SelfAttention {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            q_proj: w.linear("q_proj", D_MODEL, D_HEAD * N_HEADS),
            k_proj: w.linear("k_proj", D_MODEL, D_HEAD * N_KV_HEADS),
            v_proj: w.fine().linear("v_proj", D_MODEL, D_HEAD * N_KV_HEADS),
            rope: Rope::new(ROPE),
            o_proj: w.fine().linear("o_proj", D_HEAD * N_HEADS, D_MODEL),
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
        let [q, k, v] = Linear::forward_all(ctx, [&self.q_proj, &self.k_proj, &self.v_proj], x);
        let q = q.split_heads(N_HEADS);
        let k = k.split_heads(N_KV_HEADS);
        let v = v.split_heads(N_KV_HEADS);
        let y = Attention::new(Mask::Causal, ATTENTION_SCALE)
            .cached(cache)
            .rotated(&self.rope)
            .run(ctx, q, k, &v, tokens);
        self.o_proj.forward_onto(ctx, &y.merge_heads(), residual)
    }
}

/// Gated feed-forward: `down(act(gate(x)) · up(x))`.
pub struct FeedForward {
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

impl FeedForward {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            gate_proj: w.linear("gate_proj", D_MODEL, D_FF),
            up_proj: w.linear("up_proj", D_MODEL, D_FF),
            down_proj: w.linear("down_proj", D_FF, D_MODEL),
        }
    }

    /// `[B, S, D_MODEL]` and `[B, S, D_MODEL]` to `[B, S, D_MODEL]`.
    pub fn forward(&self, ctx: &Context, x: &Normed<'_>, residual: &Tensor) -> Tensor {
        let gated = Linear::forward_gated(ctx, [&self.gate_proj, &self.up_proj], x, Gate::Silu);
        self.down_proj.forward_onto(ctx, &gated, residual)
    }
}

/// One layer.
pub struct Layer {
    input_layernorm: RmsNorm,
    self_attn: SelfAttention,
    post_attention_layernorm: RmsNorm,
    mlp: FeedForward,
}

impl Layer {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            input_layernorm: w.rms_norm("input_layernorm", D_MODEL, EPS),
            self_attn: SelfAttention::load(&w.at("self_attn")),
            post_attention_layernorm: w.rms_norm("post_attention_layernorm", D_MODEL, EPS),
            mlp: FeedForward::load(&w.at("mlp")),
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
        let h = self.input_layernorm.deferred(x);
        let x = self.self_attn.forward(ctx, &h, tokens, x, cache);
        let h = self.post_attention_layernorm.deferred(&x);
        self.mlp.forward(ctx, &h, &x)
    }
}
