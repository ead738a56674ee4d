//! bert-base-uncased, whole.

use super::config::{MAX_SEQ_LEN, N_LAYERS, PARAMETERS, VOCAB_SIZE};
use super::layers::{Embeddings, Layer, MaskedLmHead};
use super::weights::MAPPING;
use formwork_runtime::{Context, Ids, Info, Inputs, Model, Room, Tensor, Tokens, Weights};

/// BERT, ERNIE and BigBird: a bidirectional encoder with learned positions, token types and LayerNorm after each branch.
pub struct MaskedLm {
    embeddings: Embeddings,
    layer: Vec<Layer>,
    predictions: MaskedLmHead,
}

impl MaskedLm {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            embeddings: Embeddings::load(&w.at("embeddings")),
            layer: (0..N_LAYERS)
                .map(|i| Layer::load(&w.at(&format!("encoder.layer.{i}"))))
                .collect(),
            predictions: MaskedLmHead::load(&w.at("cls.predictions")),
        }
    }

    /// Gives `[B, S, VOCAB_SIZE]`.
    pub fn forward(&self, ctx: &Context, tokens: &Tokens, token_types: &Ids) -> Tensor {
        let mut x = self.embeddings.forward(ctx, tokens, token_types);
        for (i, layer) in self.layer.iter().enumerate() {
            ctx.probe("hidden_states", i, &x);
            x = layer.forward(ctx, &x, tokens);
        }
        ctx.probe("hidden_states", N_LAYERS, &x);
        self.predictions.forward(ctx, &x)
    }
}

impl Model for MaskedLm {
    const INFO: Info = Info {
        name: "bert-base-uncased",
        task: "masked_lm",
        output: "logits",
        inputs: &["input_ids", "token_type_ids"],
        generates: false,
        packs: true,
        vocab_size: VOCAB_SIZE,
        max_positions: Some(MAX_SEQ_LEN),
        parameters: PARAMETERS,
        mapping: MAPPING,
    };
    type Cache = ();

    fn load(w: &Weights) -> Self {
        Self::load(w)
    }

    fn cache(_batch: usize, _room: Room) -> Self::Cache {}
    fn forward(&self, ctx: &Context, inputs: &Inputs, _cache: &mut Self::Cache) -> Tensor {
        self.forward(
            ctx,
            inputs.tokens("input_ids"),
            inputs.ids("token_type_ids"),
        )
    }
}
