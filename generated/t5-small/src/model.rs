//! t5-small, whole.

use super::config::{D_MODEL, FACTOR, N_DECODER_LAYERS, PARAMETERS, VOCAB_SIZE};
use super::layers::{Decoder, DecoderBlockCache, Encoder};
use super::weights::MAPPING;
use formwork_runtime::{
    Context, Info, Inputs, Keeps, Kept, Linear, Model, Once, Room, Tensor, Tokens, Weights, ops,
};

/// T5, mT5, UMT5, LongT5 and Switch Transformers: an encoder-decoder with bucketed relative positions, RMS norms before each branch and unscaled attention.
pub struct Seq2seq {
    encoder: Encoder,
    decoder: Decoder,
    lm_head: Linear,
}

impl Seq2seq {
    /// Takes its weights; what is missing or misshapen is reported by `Weights::finish`.
    pub fn load(w: &Weights) -> Self {
        Self {
            encoder: Encoder::load(&w.at("encoder")),
            decoder: Decoder::load(&w.at("decoder")),
            lm_head: w.finest().linear("lm_head", D_MODEL, VOCAB_SIZE),
        }
    }

    /// Gives `[B, asked, VOCAB_SIZE]`.
    pub fn forward(
        &self,
        ctx: &Context,
        tokens: &Tokens,
        decoder_tokens: &Tokens,
        cache: &mut Seq2seqCache,
    ) -> Tensor {
        let memory = cache.memory.get(|| self.encoder.forward(ctx, tokens));
        let x = self
            .decoder
            .forward(ctx, decoder_tokens, memory, tokens, &mut cache.decoder);
        let x = x * FACTOR;
        self.lm_head.forward(ctx, &ops::asked(x, decoder_tokens))
    }
}

/// What [`Seq2seq`] keeps from step to step.
pub struct Seq2seqCache {
    memory: Once,
    decoder: Vec<DecoderBlockCache>,
}

impl Seq2seqCache {
    /// For `batch` sequences, each with this room.
    pub fn new(batch: usize, room: Room) -> Self {
        Self {
            memory: Once::new(),
            decoder: (0..N_DECODER_LAYERS)
                .map(|_| DecoderBlockCache::new(batch, room))
                .collect(),
        }
    }
}

impl Keeps for Seq2seqCache {
    fn each(&mut self, visit: &mut dyn FnMut(&mut dyn Kept)) {
        self.memory.each(visit);
        self.decoder.each(visit);
    }
}

impl Model for Seq2seq {
    const INFO: Info = Info {
        name: "t5-small",
        task: "seq2seq",
        output: "logits",
        inputs: &["input_ids", "decoder_input_ids"],
        generates: true,
        packs: false,
        vocab_size: VOCAB_SIZE,
        max_positions: None,
        parameters: PARAMETERS,
        mapping: MAPPING,
    };
    type Cache = Seq2seqCache;

    fn load(w: &Weights) -> Self {
        Self::load(w)
    }

    fn cache(batch: usize, room: Room) -> Self::Cache {
        Seq2seqCache::new(batch, room)
    }

    fn forward(&self, ctx: &Context, inputs: &Inputs, cache: &mut Self::Cache) -> Tensor {
        self.forward(
            ctx,
            inputs.tokens("input_ids"),
            inputs.tokens("decoder_input_ids"),
            cache,
        )
    }
}
