//! The parts of gpt2.

use super::config::{ATTENTION_SCALE, D_FF, D_MODEL, EPS, N_HEADS};
use formwork_runtime::{
    Attention, Context, KvCache, LayerNorm, Linear, Mask, Normed, Tensor, Tokens, Weights, ops,
};

/// Multi-head attention over a fused projection.
pub struct SelfAttention {
    c_attn: Linear,
    c_proj: Linear,
}

impl SelfAttention {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            c_attn: w.linear_bias("c_attn", D_MODEL, 3 * D_MODEL),
            c_proj: w.fine().linear_bias("c_proj", D_MODEL, D_MODEL),
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
        let [q, k, v] = self
            .c_attn
            .forward(ctx, x)
            .split([D_MODEL, D_MODEL, D_MODEL]);
        let y = Attention::new(Mask::Causal, ATTENTION_SCALE)
            .cached(cache)
            .run(
                ctx,
                &q.split_heads(N_HEADS),
                &k.split_heads(N_HEADS),
                &v.split_heads(N_HEADS),
                tokens,
            );
        self.c_proj.forward_onto(ctx, &y.merge_heads(), residual)
    }
}

/// Feed-forward: `c_proj(act(c_fc(x)))`.
pub struct FeedForward {
    c_fc: Linear,
    c_proj: Linear,
}

impl FeedForward {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            c_fc: w.linear_bias("c_fc", D_MODEL, D_FF),
            c_proj: w.linear_bias("c_proj", D_FF, D_MODEL),
        }
    }

    /// `[B, S, D_MODEL]` and `[B, S, D_MODEL]` to `[B, S, D_MODEL]`.
    pub fn forward(&self, ctx: &Context, x: &Normed<'_>, residual: &Tensor) -> Tensor {
        let h = ops::gelu_tanh(self.c_fc.forward(ctx, x));
        self.c_proj.forward_onto(ctx, &h, residual)
    }
}

/// One layer.
pub struct Layer {
    ln_1: LayerNorm,
    attn: SelfAttention,
    ln_2: LayerNorm,
    mlp: FeedForward,
}

impl Layer {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            ln_1: w.layer_norm("ln_1", D_MODEL, EPS),
            attn: SelfAttention::load(&w.at("attn")),
            ln_2: w.layer_norm("ln_2", D_MODEL, EPS),
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
        let h = self.ln_1.deferred(x);
        let x = self.attn.forward(ctx, &h, tokens, x, cache);
        let h = self.ln_2.deferred(&x);
        self.mlp.forward(ctx, &h, &x)
    }
}
