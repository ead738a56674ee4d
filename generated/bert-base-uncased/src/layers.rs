//! The parts of bert-base-uncased.

use super::config::{
    ATTENTION_SCALE, D_FF, D_MODEL, EPS, MAX_SEQ_LEN, N_HEADS, N_TOKEN_TYPES, VOCAB_SIZE,
};
use formwork_runtime::{
    Attention, Context, Embedding, Ids, LayerNorm, Linear, Mask, Tensor, Tokens, Weights, ops,
};

/// The sum of word, position and segment embeddings.
pub struct Embeddings {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    token_type_embeddings: Embedding,
    layer_norm: LayerNorm,
}

impl Embeddings {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            word_embeddings: w.embedding("word_embeddings", VOCAB_SIZE, D_MODEL),
            position_embeddings: w.embedding("position_embeddings", MAX_SEQ_LEN, D_MODEL),
            token_type_embeddings: w.embedding("token_type_embeddings", N_TOKEN_TYPES, D_MODEL),
            layer_norm: w.layer_norm("LayerNorm", D_MODEL, EPS),
        }
    }

    /// Gives `[B, S, D_MODEL]`.
    pub fn forward(&self, ctx: &Context, tokens: &Tokens, token_types: &Ids) -> Tensor {
        let x = self.word_embeddings.forward(ctx, &tokens.ids);
        let x = x + self.position_embeddings.forward(ctx, &tokens.positions);
        let x = x + self.token_type_embeddings.forward(ctx, token_types);
        self.layer_norm.forward(ctx, &x)
    }
}

/// Multi-head attention over every token that the mask, or a sparse pattern, lets through; queries and keys are rotated where `rope` is given.
pub struct EncoderAttention {
    query: Linear,
    key: Linear,
    value: Linear,
}

impl EncoderAttention {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            query: w.linear_bias("query", D_MODEL, D_MODEL),
            key: w.linear_bias("key", D_MODEL, D_MODEL),
            value: w.fine().linear_bias("value", D_MODEL, D_MODEL),
        }
    }

    /// `[B, S, D_MODEL]` to `[B, S, D_MODEL]`.
    pub fn forward(&self, ctx: &Context, x: &Tensor, tokens: &Tokens) -> Tensor {
        let [q, k, v] = Linear::forward_all(ctx, [&self.query, &self.key, &self.value], x);
        let q = q.split_heads(N_HEADS);
        let k = k.split_heads(N_HEADS);
        let v = v.split_heads(N_HEADS);
        Attention::new(Mask::Full, ATTENTION_SCALE)
            .run(ctx, &q, &k, &v, tokens)
            .merge_heads()
    }
}

/// One layer.
pub struct Layer {
    attention_self: EncoderAttention,
    attention_output_dense: Linear,
    attention_output_layer_norm: LayerNorm,
    intermediate_dense: Linear,
    output_dense: Linear,
    output_layer_norm: LayerNorm,
}

impl Layer {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            attention_self: EncoderAttention::load(&w.at("attention.self")),
            attention_output_dense: w.fine().linear_bias(
                "attention.output.dense",
                D_MODEL,
                D_MODEL,
            ),
            attention_output_layer_norm: w.layer_norm("attention.output.LayerNorm", D_MODEL, EPS),
            intermediate_dense: w.linear_bias("intermediate.dense", D_MODEL, D_FF),
            output_dense: w.linear_bias("output.dense", D_FF, D_MODEL),
            output_layer_norm: w.layer_norm("output.LayerNorm", D_MODEL, EPS),
        }
    }

    /// `[B, S, D_MODEL]` to `[B, S, D_MODEL]`.
    pub fn forward(&self, ctx: &Context, x: &Tensor, tokens: &Tokens) -> Tensor {
        let encoder_attention = self.attention_self.forward(ctx, x, tokens);
        let add = self
            .attention_output_dense
            .forward_onto(ctx, &encoder_attention, x);
        let x = self.attention_output_layer_norm.forward(ctx, &add);
        let h = ops::gelu(self.intermediate_dense.forward(ctx, &x));
        let add = self.output_dense.forward_onto(ctx, &h, &x);
        self.output_layer_norm.forward(ctx, &add)
    }
}

/// Masked-LM head: a dense layer, a norm, and the logits.
pub struct MaskedLmHead {
    dense: Linear,
    layer_norm: LayerNorm,
    decoder: Linear,
}

impl MaskedLmHead {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            dense: w.linear_bias("transform.dense", D_MODEL, D_MODEL),
            layer_norm: w.layer_norm("transform.LayerNorm", D_MODEL, EPS),
            decoder: w.finest().linear_bias("decoder", D_MODEL, VOCAB_SIZE),
        }
    }

    /// `[B, S, D_MODEL]` to `[B, S, VOCAB_SIZE]`.
    pub fn forward(&self, ctx: &Context, x: &Tensor) -> Tensor {
        let h = ops::gelu(self.dense.forward(ctx, x));
        let h = self.layer_norm.forward(ctx, &h);
        self.decoder.forward(ctx, &h)
    }
}
