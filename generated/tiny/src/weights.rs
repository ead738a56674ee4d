//! Where the weights of tiny are found.

use formwork_runtime::Mapping;

/// Where parameters are found in a checkpoint.
pub const MAPPING: Mapping = Mapping {
    prefixes: &[],
    rules: &[],
    ignore: &[],
    gguf: None,
};
