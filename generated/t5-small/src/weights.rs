//! Where the weights of t5-small are found.

use formwork_runtime::{Mapping, Rule, Source};

/// Where parameters are found in a checkpoint.
pub const MAPPING: Mapping = Mapping {
    prefixes: &[],
    rules: &[
        Rule {
            target: "encoder.embed_tokens.weight",
            source: Source::FirstOf(&[
                Source::Name("shared.weight"),
                Source::Name("encoder.embed_tokens.weight"),
            ]),
        },
        Rule {
            target: "decoder.embed_tokens.weight",
            source: Source::FirstOf(&[
                Source::Name("shared.weight"),
                Source::Name("decoder.embed_tokens.weight"),
                Source::Name("encoder.embed_tokens.weight"),
            ]),
        },
        Rule {
            target: "lm_head.weight",
            source: Source::FirstOf(&[
                Source::Name("lm_head.weight"),
                Source::Name("shared.weight"),
                Source::Name("encoder.embed_tokens.weight"),
            ]),
        },
    ],
    ignore: &[
        "encoder.embed_tokens.weight",
        "decoder.embed_tokens.weight",
        "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",
    ],
    gguf: None,
};
