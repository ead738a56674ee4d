//! The parts of t5-small.

use super::config::{
    D_FF, D_HEAD, D_MODEL, EPS, MAX_DISTANCE, N_BUCKETS, N_DECODER_LAYERS, N_HEADS, N_LAYERS,
    VOCAB_SIZE,
};
use formwork_runtime::{
    Attention, Context, Embedding, Keeps, Kept, KvCache, Linear, Mask, Normed, Once, RelativeBias,
    RmsNorm, Room, Tensor, Tokens, Weights, ops,
};

/// Attention with a relative-position bias on the scores.
pub struct SelfAttention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
}

impl SelfAttention {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            q: w.linear("q", D_MODEL, D_HEAD * N_HEADS),
            k: w.linear("k", D_MODEL, D_HEAD * N_HEADS),
            v: w.fine().linear("v", D_MODEL, D_HEAD * N_HEADS),
            o: w.fine().linear("o", D_HEAD * N_HEADS, D_MODEL),
        }
    }

    /// `[B, T, D_MODEL]` and `[N_HEADS, 2*T - 1]` and `[B, T, D_MODEL]` to `[B, T, D_MODEL]`.
    pub fn forward(
        &self,
        ctx: &Context,
        x: &Normed<'_>,
        bias: &Tensor,
        tokens: &Tokens,
        residual: &Tensor,
    ) -> Tensor {
        let [q, k, v] = Linear::forward_all(ctx, [&self.q, &self.k, &self.v], x);
        let q = q.split_heads(N_HEADS);
        let k = k.split_heads(N_HEADS);
        let v = v.split_heads(N_HEADS);
        let y = Attention::new(Mask::Full, 1.0)
            .bias(bias)
            .run(ctx, &q, &k, &v, tokens)
            .merge_heads();
        self.o.forward_onto(ctx, &y, residual)
    }
}

/// Two matrices around a nonlinearity, or three with a gate.
pub struct FeedForward {
    wi: Linear,
    wo: Linear,
}

impl FeedForward {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            wi: w.linear("wi", D_MODEL, D_FF),
            wo: w.linear("wo", D_FF, D_MODEL),
        }
    }

    /// `[B, T, D_MODEL]` and `[B, T, D_MODEL]` to `[B, T, D_MODEL]`.
    pub fn forward(&self, ctx: &Context, x: &Normed<'_>, residual: &Tensor) -> Tensor {
        let h = ops::relu(self.wi.forward(ctx, x));
        self.wo.forward_onto(ctx, &h, residual)
    }
}

/// One layer.
pub struct Block {
    layer_0_layer_norm: RmsNorm,
    self_attention: SelfAttention,
    layer_1_layer_norm: RmsNorm,
    dense_relu_dense: FeedForward,
}

impl Block {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            layer_0_layer_norm: w.rms_norm("layer.0.layer_norm", D_MODEL, EPS),
            self_attention: SelfAttention::load(&w.at("layer.0.SelfAttention")),
            layer_1_layer_norm: w.rms_norm("layer.1.layer_norm", D_MODEL, EPS),
            dense_relu_dense: FeedForward::load(&w.at("layer.1.DenseReluDense")),
        }
    }

    /// `[B, T, D_MODEL]` and `[N_HEADS, 2*T - 1]` to `[B, T, D_MODEL]`.
    pub fn forward(&self, ctx: &Context, x: &Tensor, shared: &Tensor, tokens: &Tokens) -> Tensor {
        let h = self.layer_0_layer_norm.deferred(x);
        let x = self.self_attention.forward(ctx, &h, shared, tokens, x);
        let h = self.layer_1_layer_norm.deferred(&x);
        self.dense_relu_dense.forward(ctx, &h, &x)
    }
}

/// `encoder`.
pub struct Encoder {
    embed_tokens: Embedding,
    relative_attention_bias: RelativeBias,
    block: Vec<Block>,
    final_layer_norm: RmsNorm,
}

impl Encoder {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            embed_tokens: w.embedding("embed_tokens", VOCAB_SIZE, D_MODEL),
            relative_attention_bias: w.relative_bias(
                "block.0.layer.0.SelfAttention.relative_attention_bias",
                N_BUCKETS,
                N_HEADS,
                true,
                MAX_DISTANCE,
            ),
            block: (0..N_LAYERS)
                .map(|i| Block::load(&w.at(&format!("block.{i}"))))
                .collect(),
            final_layer_norm: w.rms_norm("final_layer_norm", D_MODEL, EPS),
        }
    }

    /// Gives `[B, T, D_MODEL]`.
    pub fn forward(&self, ctx: &Context, tokens: &Tokens) -> Tensor {
        let mut x = self.embed_tokens.forward(ctx, &tokens.ids);
        let shared = self.relative_attention_bias.forward(ctx, tokens, tokens);
        for (i, layer) in self.block.iter().enumerate() {
            ctx.probe("encoder_hidden_states", i, &x);
            x = layer.forward(ctx, &x, &shared, tokens);
        }
        let x = self.final_layer_norm.forward(ctx, &x);
        ctx.probe("encoder_hidden_states", N_LAYERS, &x);
        x
    }
}

/// Attention with a relative-position bias on the scores.
pub struct DecoderSelfAttention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
}

impl DecoderSelfAttention {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            q: w.linear("q", D_MODEL, D_HEAD * N_HEADS),
            k: w.linear("k", D_MODEL, D_HEAD * N_HEADS),
            v: w.fine().linear("v", D_MODEL, D_HEAD * N_HEADS),
            o: w.fine().linear("o", D_HEAD * N_HEADS, D_MODEL),
        }
    }

    /// `[B, S, D_MODEL]` and `[N_HEADS, 2*S + past - 1]` and `[B, S, D_MODEL]` to `[B, S, D_MODEL]`.
    pub fn forward(
        &self,
        ctx: &Context,
        x: &Normed<'_>,
        bias: &Tensor,
        tokens: &Tokens,
        residual: &Tensor,
        cache: &mut KvCache,
    ) -> Tensor {
        let [q, k, v] = Linear::forward_all(ctx, [&self.q, &self.k, &self.v], x);
        let q = q.split_heads(N_HEADS);
        let k = k.split_heads(N_HEADS);
        let v = v.split_heads(N_HEADS);
        let y = Attention::new(Mask::Causal, 1.0)
            .bias(bias)
            .cached(cache)
            .run(ctx, &q, &k, &v, tokens)
            .merge_heads();
        self.o.forward_onto(ctx, &y, residual)
    }
}

/// Attention to the encoder's output, whose keys and values are computed once.
pub struct CrossAttention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
}

impl CrossAttention {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            q: w.linear("q", D_MODEL, D_HEAD * N_HEADS),
            k: w.linear("k", D_MODEL, D_HEAD * N_HEADS),
            v: w.fine().linear("v", D_MODEL, D_HEAD * N_HEADS),
            o: w.fine().linear("o", D_HEAD * N_HEADS, D_MODEL),
        }
    }

    /// `[B, S, D_MODEL]` and `[B, T, D_MODEL]` and `[B, S, D_MODEL]` to `[B, S, D_MODEL]`.
    pub fn forward(
        &self,
        ctx: &Context,
        x: &Normed<'_>,
        memory: &Tensor,
        tokens: &Tokens,
        residual: &Tensor,
        cache: &mut CrossAttentionCache,
    ) -> Tensor {
        let q = self.q.forward(ctx, x).split_heads(N_HEADS);
        let k = cache
            .k
            .get(|| self.k.forward(ctx, memory).split_heads(N_HEADS));
        let v = cache
            .v
            .get(|| self.v.forward(ctx, memory).split_heads(N_HEADS));
        let y = Attention::new(Mask::Full, 1.0)
            .run(ctx, &q, k, v, tokens)
            .merge_heads();
        self.o.forward_onto(ctx, &y, residual)
    }
}

/// What [`CrossAttention`] keeps from step to step.
pub struct CrossAttentionCache {
    k: Once,
    v: Once,
}

impl CrossAttentionCache {
    /// For `batch` sequences, each with this room.
    pub fn new(_batch: usize, _room: Room) -> Self {
        Self {
            k: Once::new(),
            v: Once::new(),
        }
    }
}

impl Keeps for CrossAttentionCache {
    fn each(&mut self, visit: &mut dyn FnMut(&mut dyn Kept)) {
        self.k.each(visit);
        self.v.each(visit);
    }
}

/// One layer.
pub struct DecoderBlock {
    layer_0_layer_norm: RmsNorm,
    self_attention: DecoderSelfAttention,
    layer_1_layer_norm: RmsNorm,
    enc_dec_attention: CrossAttention,
    layer_2_layer_norm: RmsNorm,
    dense_relu_dense: FeedForward,
}

impl DecoderBlock {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            layer_0_layer_norm: w.rms_norm("layer.0.layer_norm", D_MODEL, EPS),
            self_attention: DecoderSelfAttention::load(&w.at("layer.0.SelfAttention")),
            layer_1_layer_norm: w.rms_norm("layer.1.layer_norm", D_MODEL, EPS),
            enc_dec_attention: CrossAttention::load(&w.at("layer.1.EncDecAttention")),
            layer_2_layer_norm: w.rms_norm("layer.2.layer_norm", D_MODEL, EPS),
            dense_relu_dense: FeedForward::load(&w.at("layer.2.DenseReluDense")),
        }
    }

    /// `[B, S, D_MODEL]` and `[N_HEADS, 2*S + past - 1]` and `[B, T, D_MODEL]` to `[B, S, D_MODEL]`.
    pub fn forward(
        &self,
        ctx: &Context,
        x: &Tensor,
        shared: &Tensor,
        tokens: &Tokens,
        memory: &Tensor,
        tokens_2: &Tokens,
        cache: &mut DecoderBlockCache,
    ) -> Tensor {
        let h = self.layer_0_layer_norm.deferred(x);
        let x = self
            .self_attention
            .forward(ctx, &h, shared, tokens, x, &mut cache.self_attention);
        let h = self.layer_1_layer_norm.deferred(&x);
        let x = self.enc_dec_attention.forward(
            ctx,
            &h,
            memory,
            tokens_2,
            &x,
            &mut cache.enc_dec_attention,
        );
        let h = self.layer_2_layer_norm.deferred(&x);
        self.dense_relu_dense.forward(ctx, &h, &x)
    }
}

/// What [`DecoderBlock`] keeps from step to step.
pub struct DecoderBlockCache {
    self_attention: KvCache,
    enc_dec_attention: CrossAttentionCache,
}

impl DecoderBlockCache {
    /// For `batch` sequences, each with this room.
    pub fn new(batch: usize, room: Room) -> Self {
        Self {
            self_attention: KvCache::new(batch, N_HEADS, D_HEAD, D_HEAD, room),
            enc_dec_attention: CrossAttentionCache::new(batch, room),
        }
    }
}

impl Keeps for DecoderBlockCache {
    fn each(&mut self, visit: &mut dyn FnMut(&mut dyn Kept)) {
        self.self_attention.each(visit);
        self.enc_dec_attention.each(visit);
    }
}

/// `decoder`.
pub struct Decoder {
    embed_tokens: Embedding,
    relative_attention_bias: RelativeBias,
    block: Vec<DecoderBlock>,
    final_layer_norm: RmsNorm,
}

impl Decoder {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            embed_tokens: w.embedding("embed_tokens", VOCAB_SIZE, D_MODEL),
            relative_attention_bias: w.relative_bias(
                "block.0.layer.0.SelfAttention.relative_attention_bias",
                N_BUCKETS,
                N_HEADS,
                false,
                MAX_DISTANCE,
            ),
            block: (0..N_DECODER_LAYERS)
                .map(|i| DecoderBlock::load(&w.at(&format!("block.{i}"))))
                .collect(),
            final_layer_norm: w.rms_norm("final_layer_norm", D_MODEL, EPS),
        }
    }

    /// `[B, T, D_MODEL]` to `[B, S, D_MODEL]`.
    pub fn forward(
        &self,
        ctx: &Context,
        tokens: &Tokens,
        memory: &Tensor,
        tokens_2: &Tokens,
        cache: &mut [DecoderBlockCache],
    ) -> Tensor {
        let mut x = self.embed_tokens.forward(ctx, &tokens.ids);
        let shared = self.relative_attention_bias.forward(ctx, tokens, tokens);
        for (i, (layer, cache)) in self.block.iter().zip(cache.iter_mut()).enumerate() {
            ctx.probe("decoder_hidden_states", i, &x);
            x = layer.forward(ctx, &x, &shared, tokens, memory, tokens_2, cache);
        }
        let x = self.final_layer_norm.forward(ctx, &x);
        ctx.probe("decoder_hidden_states", N_DECODER_LAYERS, &x);
        x
    }
}
