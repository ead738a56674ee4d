//! Where the weights of bert-base-uncased are found.

use formwork_runtime::{Mapping, Rule, Source};

/// Where parameters are found in a checkpoint.
pub const MAPPING: Mapping = Mapping {
    prefixes: &["bert.", "ernie."],
    rules: &[
        Rule {
            target: "cls.predictions.decoder.weight",
            source: Source::Name("embeddings.word_embeddings.weight"),
        },
        Rule {
            target: "cls.predictions.decoder.bias",
            source: Source::FirstOf(&[
                Source::Name("cls.predictions.bias"),
                Source::Name("cls.predictions.decoder.bias"),
            ]),
        },
        Rule {
            target: "pooler.dense.{part}",
            source: Source::FirstOf(&[
                Source::Name("pooler.dense.{part}"),
                Source::Name("pooler.{part}"),
            ]),
        },
        Rule {
            target: "{p*}.LayerNorm.weight",
            source: Source::FirstOf(&[
                Source::Name("{p}.LayerNorm.weight"),
                Source::Name("{p}.LayerNorm.gamma"),
            ]),
        },
        Rule {
            target: "{p*}.LayerNorm.bias",
            source: Source::FirstOf(&[
                Source::Name("{p}.LayerNorm.bias"),
                Source::Name("{p}.LayerNorm.beta"),
            ]),
        },
    ],
    ignore: &[
        "cls.*",
        "*.position_ids",
        "embeddings.position_ids",
        "pooler.weight",
        "pooler.bias",
        "pooler.dense.weight",
        "pooler.dense.bias",
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
        "ernie.pooler.dense.weight",
        "ernie.pooler.dense.bias",
    ],
    gguf: None,
};
