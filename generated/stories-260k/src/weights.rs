//! Where the weights of stories-260k are found.

use formwork_runtime::{Mapping, Rule, Source};

/// Where parameters are found in a checkpoint.
pub const MAPPING: Mapping = Mapping {
    prefixes: &["model."],
    rules: &[Rule {
        target: "lm_head.weight",
        source: Source::Name("model.embed_tokens.weight"),
    }],
    ignore: &["model.layers.*.self_attn.rotary_emb.inv_freq"],
};
