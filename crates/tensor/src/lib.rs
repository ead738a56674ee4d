//! Tensors, the context that owns their buffers, threads, SIMD levels and matrix products.
//!
//! This crate knows nothing of models. All `unsafe` code of the kernels lives here.

#[cfg(target_endian = "big")]
compile_error!("checkpoints are little-endian and are read without conversion");

mod arithmetic;
mod buffer;
mod coded;
mod codes;
mod context;
mod device;
pub mod error;
pub mod lanes;
mod matmul;
mod matrix;
mod normed;
mod numbers;
mod packed;
pub mod pairs;
mod param;
mod pool;
pub mod probe;
mod reads;
pub mod rounded;
mod shape;
mod shares;
mod simd;
mod sixteen;
mod tensor;
pub mod threads;
mod tokens;
pub mod widen;

pub use coded::{Coded, CodedRows};
pub use context::{Context, Record, TableKey};
pub use device::{Device, Precision};
pub use error::{Error, Result};
pub use half::f16;
pub use matrix::{Layout, Matrix, Place};
pub use normed::{Input, Norm, Normed};
pub use numbers::Numbers;
pub use packed::{Format, GROUP};
pub use param::{DType, Owner, Param, Values};
pub use shape::Shape;
pub use simd::{Kernel, Level, Simd};
pub use tensor::Tensor;
pub use tokens::{Asked, Ids, Tokens};
