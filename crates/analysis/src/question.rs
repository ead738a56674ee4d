//! What is asked: the sizes of a run, the counting convention and a machine.

use crate::machine::Machine;

/// How attention's pairs of queries and keys are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AttentionCount {
    /// The whole rectangle, queries times keys, as torch's `FlopCounterMode` counts it.
    #[default]
    Dense,
    /// Exactly the pairs that the mask lets through.
    Masked,
}

/// The questions of a [`report`](crate::report).
#[derive(Clone, Debug, PartialEq)]
pub struct Questions {
    /// Sequences.
    pub batch: u128,
    /// New tokens of each sequence, of the stream that grows where there are two.
    pub seq: u128,
    /// Tokens of an encoder-decoder's source; as many as `seq` when `None`.
    pub source: Option<u128>,
    /// Earlier tokens in the cache.
    pub context: u128,
    /// How attention is counted.
    pub attention: AttentionCount,
    /// Whether work outside matrix products is counted as well.
    pub elementwise: bool,
    /// The machine of the roofline.
    pub machine: Machine,
}

impl Default for Questions {
    fn default() -> Self {
        Self {
            batch: 1,
            seq: 512,
            source: None,
            context: 0,
            attention: AttentionCount::Dense,
            elementwise: false,
            machine: Machine::default(),
        }
    }
}

impl Questions {
    /// The counting convention's name; two figures compare only under one convention.
    pub fn convention(&self) -> &'static str {
        match (self.attention, self.elementwise) {
            (AttentionCount::Dense, false) => "mac2-dense",
            (AttentionCount::Dense, true) => "mac2-dense-elementwise",
            (AttentionCount::Masked, false) => "mac2-masked",
            (AttentionCount::Masked, true) => "mac2-masked-elementwise",
        }
    }
}
