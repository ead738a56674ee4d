//! The numbers of tiny.

use formwork_runtime::{RopeConfig, RopeLayout, RopeScaling};

/// Entries of the vocabulary.
pub const VOCAB_SIZE: usize = 4096;

/// Width of the residual stream.
pub const D_MODEL: usize = 256;

/// Layers.
pub const N_LAYERS: usize = 4;

/// Longest sequence.
pub const MAX_SEQ_LEN: usize = 2048;

/// Query heads.
pub const N_HEADS: usize = 8;

/// Key/value heads; a quarter of `n_heads` when null, or half of them, or one, where that is not whole.
pub const N_KV_HEADS: usize = 2;

/// `norm.eps`.
pub const EPS: f32 = 1e-5;

/// Hidden width; `4 d_model` when null, for gated kinds `8/3 d_model` rounded up to a multiple of 64.
pub const D_FF: usize = 704;

/// `d_head`.
pub const D_HEAD: usize = 32;

/// Factor on the attention scores, 1/sqrt(d_head).
pub const ATTENTION_SCALE: f32 = 0.17677669;

/// Rotary position embedding.
pub const ROPE: RopeConfig = RopeConfig {
    d_rot: D_HEAD,
    trailing: false,
    theta: 10000.0,
    layout: RopeLayout::HalfSplit,
    scaling: RopeScaling::None,
};

/// Parameters of the model, shared ones counted once.
pub const PARAMETERS: u64 = 4_917_504;
