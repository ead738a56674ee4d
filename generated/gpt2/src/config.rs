//! The numbers of gpt2.

/// Entries of the vocabulary.
pub const VOCAB_SIZE: usize = 50257;

/// Width of the residual stream.
pub const D_MODEL: usize = 768;

/// Layers.
pub const N_LAYERS: usize = 12;

/// Heads.
pub const N_HEADS: usize = 12;

/// Hidden width of the feed-forward.
pub const D_FF: usize = 3072;

/// Longest sequence.
pub const MAX_SEQ_LEN: usize = 1024;

/// Added to the variance in every norm.
pub const EPS: f32 = 1e-5;

/// attention scale.
pub const ATTENTION_SCALE: f32 = 0.125;

/// Parameters of the model, shared ones counted once.
pub const PARAMETERS: u64 = 124_439_808;
