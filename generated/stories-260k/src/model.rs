//! stories-260k, whole.

use super::config::{
    D_HEAD, D_MODEL, EPS, MAX_SEQ_LEN, N_KV_HEADS, N_LAYERS, PARAMETERS, VOCAB_SIZE,
};
use super::layers::Layer;
use super::weights::MAPPING;
use formwork_runtime::{
    Context, Embedding, Info, Inputs, KvCache, Linear, Model, RmsNorm, Room, Tensor, Tokens,
    Weights, ops,
};

/// Llama and its many relatives: pre-norm decoders with rotary positions, grouped-query attention and a gated feed-forward.
pub struct CausalLm {
    embed_tokens: Embedding,
    layers: Vec<Layer>,
    norm: RmsNorm,
    lm_head: Linear,
}

impl CausalLm {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            embed_tokens: w.embedding("model.embed_tokens", VOCAB_SIZE, D_MODEL),
            layers: (0..N_LAYERS)
                .map(|i| Layer::load(&w.at(&format!("model.layers.{i}"))))
                .collect(),
            norm: w.rms_norm("model.norm", D_MODEL, EPS),
            lm_head: w.finest().linear("lm_head", D_MODEL, VOCAB_SIZE),
        }
    }

    /// Gives `[B, asked, VOCAB_SIZE]`.
    pub fn forward(&self, ctx: &Context, tokens: &Tokens, cache: &mut [KvCache]) -> Tensor {
        let mut x = self.embed_tokens.forward(ctx, &tokens.ids);
        for (i, (layer, cache)) in self.layers.iter().zip(cache.iter_mut()).enumerate() {
            ctx.probe("hidden_states", i, &x);
            x = layer.forward(ctx, &x, tokens, cache);
        }
        let x = self.norm.forward(ctx, &x);
        ctx.probe("hidden_states", N_LAYERS, &x);
        self.lm_head.forward(ctx, &ops::asked(x, tokens))
    }
}

impl Model for CausalLm {
    const INFO: Info = Info {
        name: "stories-260k",
        task: "causal_lm",
        output: "logits",
        inputs: &["input_ids"],
        generates: true,
        packs: false,
        vocab_size: VOCAB_SIZE,
        max_positions: Some(MAX_SEQ_LEN),
        parameters: PARAMETERS,
        mapping: MAPPING,
    };
    type Cache = Vec<KvCache>;

    fn load(w: &Weights) -> Self {
        Self::load(w)
    }

    fn cache(batch: usize, room: Room) -> Self::Cache {
        (0..N_LAYERS)
            .map(|_| KvCache::new(batch, N_KV_HEADS, D_HEAD, D_HEAD, room))
            .collect()
    }

    fn forward(&self, ctx: &Context, inputs: &Inputs, cache: &mut Self::Cache) -> Tensor {
        self.forward(ctx, inputs.tokens("input_ids"), cache)
    }
}
