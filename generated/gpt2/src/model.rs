//! gpt2, whole.

use super::config::{D_MODEL, EPS, MAX_SEQ_LEN, N_HEADS, N_LAYERS, PARAMETERS, VOCAB_SIZE};
use super::layers::Layer;
use super::weights::MAPPING;
use formwork_runtime::{
    Context, Embedding, Info, Inputs, KvCache, LayerNorm, Linear, Model, Room, Tensor, Tokens,
    Weights, ops,
};

/// GPT-2: learned positions, LayerNorm before each branch, one fused projection for queries, keys and values.
pub struct CausalLm {
    wte: Embedding,
    wpe: Embedding,
    layers: Vec<Layer>,
    ln_f: LayerNorm,
    lm_head: Linear,
}

impl CausalLm {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            wte: w.embedding("transformer.wte", VOCAB_SIZE, D_MODEL),
            wpe: w.embedding("transformer.wpe", MAX_SEQ_LEN, D_MODEL),
            layers: (0..N_LAYERS)
                .map(|i| Layer::load(&w.at(&format!("transformer.h.{i}"))))
                .collect(),
            ln_f: w.layer_norm("transformer.ln_f", D_MODEL, EPS),
            lm_head: w.finest().linear("lm_head", D_MODEL, VOCAB_SIZE),
        }
    }

    /// Gives `[B, asked, VOCAB_SIZE]`.
    pub fn forward(&self, ctx: &Context, tokens: &Tokens, cache: &mut [KvCache]) -> Tensor {
        let x = self.wte.forward(ctx, &tokens.ids);
        let mut x = x + self.wpe.forward(ctx, &tokens.positions);
        for (i, (layer, cache)) in self.layers.iter().zip(cache.iter_mut()).enumerate() {
            ctx.probe("hidden_states", i, &x);
            x = layer.forward(ctx, &x, tokens, cache);
        }
        let x = self.ln_f.forward(ctx, &x);
        ctx.probe("hidden_states", N_LAYERS, &x);
        self.lm_head.forward(ctx, &ops::asked(x, tokens))
    }
}

impl Model for CausalLm {
    const INFO: Info = Info {
        name: "gpt2",
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
            .map(|_| KvCache::new(batch, N_HEADS, D_MODEL / N_HEADS, D_MODEL / N_HEADS, room))
            .collect()
    }

    fn forward(&self, ctx: &Context, inputs: &Inputs, cache: &mut Self::Cache) -> Tensor {
        self.forward(ctx, inputs.tokens("input_ids"), cache)
    }
}
