//! The numbers of llama-3-8b.

use formwork_runtime::{RopeConfig, RopeLayout, RopeScaling};

/// Entries of the vocabulary.
pub const VOCAB_SIZE: usize = 128256;

/// Width of the residual stream.
pub const D_MODEL: usize = 4096;

/// Layers.
pub const N_LAYERS: usize = 32;

/// Query heads.
pub const N_HEADS: usize = 32;

/// Key/value heads.
pub const N_KV_HEADS: usize = 8;

/// Width of a head.
pub const D_HEAD: usize = 128;

/// Hidden width of the feed-forward.
pub const D_FF: usize = 14336;

/// Longest sequence.
pub const MAX_SEQ_LEN: usize = 8192;

/// Added to the mean square in every norm.
pub const EPS: f32 = 1e-5;

/// Factor on the attention scores, 1/sqrt(d_head).
pub const ATTENTION_SCALE: f32 = 0.088388346;

/// Rotary position embedding.
pub const ROPE: RopeConfig = RopeConfig {
    d_rot: D_HEAD,
    trailing: false,
    theta: 500000.0,
    layout: RopeLayout::HalfSplit,
    scaling: RopeScaling::None,
};

/// Parameters of the model, shared ones counted once.
pub const PARAMETERS: u64 = 8_030_261_248;
