//! Where the weights of gpt2 are found.

use formwork_runtime::{Mapping, Rule, Source};

/// Where parameters are found in a checkpoint.
pub const MAPPING: Mapping = Mapping {
    prefixes: &["transformer."],
    rules: &[
        Rule {
            target: "lm_head.weight",
            source: Source::Name("transformer.wte.weight"),
        },
        Rule {
            target: "transformer.h.{i}.attn.c_attn.weight",
            source: Source::Transpose(&Source::Name("transformer.h.{i}.attn.c_attn.weight")),
        },
        Rule {
            target: "transformer.h.{i}.attn.c_proj.weight",
            source: Source::Transpose(&Source::Name("transformer.h.{i}.attn.c_proj.weight")),
        },
        Rule {
            target: "transformer.h.{i}.mlp.c_fc.weight",
            source: Source::Transpose(&Source::Name("transformer.h.{i}.mlp.c_fc.weight")),
        },
        Rule {
            target: "transformer.h.{i}.mlp.c_proj.weight",
            source: Source::Transpose(&Source::Name("transformer.h.{i}.mlp.c_proj.weight")),
        },
    ],
    ignore: &[
        "transformer.h.*.attn.bias",
        "transformer.h.*.attn.masked_bias",
        "h.*.attn.bias",
        "h.*.attn.masked_bias",
    ],
    gguf: None,
};
