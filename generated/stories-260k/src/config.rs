//! The numbers of stories-260k.

use formwork_runtime::{RopeConfig, RopeLayout, RopeScaling};

/// Entries of the vocabulary.
pub const VOCAB_SIZE: usize = 512;

/// Width of the residual stream.
pub const D_MODEL: usize = 64;

/// Layers.
pub const N_LAYERS: usize = 5;

/// Query heads.
pub const N_HEADS: usize = 8;

/// Key/value heads.
pub const N_KV_HEADS: usize = 4;

/// Width of a head.
pub const D_HEAD: usize = 8;

/// Hidden width of the feed-forward.
pub const D_FF: usize = 172;

/// Longest sequence.
pub const MAX_SEQ_LEN: usize = 512;

/// Added to the mean square in every norm.
pub const EPS: f32 = 1e-5;

/// Factor on the attention scores, 1/sqrt(d_head).
pub const ATTENTION_SCALE: f32 = 0.35355338;

/// Rotary position embedding.
pub const ROPE: RopeConfig = RopeConfig {
    d_rot: D_HEAD,
    trailing: false,
    theta: 10000.0,
    layout: RopeLayout::HalfSplit,
    scaling: RopeScaling::None,
};

/// Parameters of the model, shared ones counted once.
pub const PARAMETERS: u64 = 260_032;
