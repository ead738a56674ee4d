//! Where the weights of llama-3-8b are found.

use formwork_runtime::Mapping;

/// Where parameters are found in a checkpoint.
pub const MAPPING: Mapping = Mapping {
    prefixes: &["model."],
    rules: &[],
    ignore: &["model.layers.*.self_attn.rotary_emb.inv_freq"],
};
