//! The numbers of t5-small.

/// Entries of the vocabulary.
pub const VOCAB_SIZE: usize = 32128;

/// Width of the residual stream.
pub const D_MODEL: usize = 512;

/// Width of a head.
pub const D_HEAD: usize = 64;

/// Heads.
pub const N_HEADS: usize = 8;

/// Layers of the encoder.
pub const N_LAYERS: usize = 6;

/// Layers of the decoder.
pub const N_DECODER_LAYERS: usize = 6;

/// Hidden width of the feed-forward.
pub const D_FF: usize = 2048;

/// Distinct relative distances.
pub const N_BUCKETS: usize = 32;

/// Distances beyond this share a bucket.
pub const MAX_DISTANCE: usize = 128;

/// Added to the mean square in every norm.
pub const EPS: f32 = 1e-6;

/// factor.
pub const FACTOR: f32 = 0.044194173;

/// Parameters of the model, shared ones counted once.
pub const PARAMETERS: u64 = 60_506_624;
