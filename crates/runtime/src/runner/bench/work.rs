//! What each test asks of the machine, as whoever compiled the model counts it.

use std::collections::BTreeMap;

use formwork_tensor::Result;
use serde::{Deserialize, Serialize};

use super::super::args::usage;

/// FLOPs and bytes of one test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// FLOPs of products, attention over visible pairs.
    pub flops: u64,
    /// Bytes of keys and values read, in the format of the cache.
    pub cache: u64,
    /// Bytes of weights read, by the name of their format.
    pub weights: BTreeMap<String, u64>,
}

impl Work {
    /// The bytes read with weights of a format.
    pub fn bytes(&self, format: &str) -> Option<u64> {
        Some(self.weights.get(format)? + self.cache)
    }
}

/// The work of tests by their names, from the JSON of `--work`.
pub(super) fn parse(json: &str) -> Result<BTreeMap<String, Work>> {
    serde_json::from_str(json).map_err(|error| usage(format!("--work: {error}")))
}
