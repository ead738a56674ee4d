//! The operators of Transformer models, one file each.

pub mod activations;
pub mod attention;
mod attention_row;
pub mod batch_norm;
pub mod embedding;
pub mod gated;
pub mod kv_cache;
pub mod layer_norm;
pub mod linear;
pub mod once;
pub mod relative_bias;
pub mod rms_norm;
pub mod rope;
mod rope_scaling;
pub mod sinusoidal;
pub mod softcap;
