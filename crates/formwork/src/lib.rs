//! Transformer specs as Rust types.
//!
//! ```ignore
//! use formwork::{Context, Session, Transformer};
//!
//! #[derive(Transformer)]
//! #[spec("specs/tiny.toml")]
//! struct Tiny;
//!
//! let model = Tiny::load("checkpoints/tiny")?;
//! let mut session = Session::new(&model, &context, 128)?;
//! ```
//!
//! The derive reads the spec while the crate compiles; a mistake in it is a compile error that shows the place in the spec. The
//! instance that [`Transformer::load`] gives is the struct that `formwork compile` would have written, with every part's
//! `forward`. [`transformer!`] is the same for a spec that stands in the source.

use std::path::Path;

pub use formwork_macros::{Transformer, transformer};
pub use formwork_runtime as rt;
pub use formwork_runtime::{
    CacheFormat, Context, Error, Ids, Info, Inputs, Model, Result, Room, Sampling, Session, Tensor, Tokens, Weights,
};

/// A type that stands for a model. Derive it; the weights live in its [`Instance`](Self::Instance).
pub trait Transformer {
    /// The model with its weights.
    type Instance: Model;
    /// What a program needs to know of the model.
    const INFO: Info = <Self::Instance as Model>::INFO;
    /// Parameters of the model, shared ones counted once.
    const PARAMETERS: u64 = <Self::Instance as Model>::INFO.parameters;

    /// Loads a checkpoint: a folder or a file.
    ///
    /// # Errors
    /// Names every weight that is missing, misshapen or unused.
    fn load(path: impl AsRef<Path>) -> Result<Self::Instance> {
        rt::load(path)
    }
}

/// What stands in for a model whose spec does not compile, so that the spec's own error is the only one.
#[doc(hidden)]
#[derive(Debug)]
pub struct Unavailable;

impl Model for Unavailable {
    const INFO: Info = Info {
        name: "unavailable",
        task: "none",
        output: "nothing",
        inputs: &[],
        generates: false,
        vocab_size: 0,
        max_positions: None,
        parameters: 0,
        mapping: rt::Mapping { prefixes: &[], rules: &[], ignore: &[], gguf: None },
    };
    type Cache = ();

    fn load(_w: &Weights) -> Self {
        Self
    }

    fn cache(_batch: usize, _room: Room) {}

    fn forward(&self, ctx: &Context, _inputs: &Inputs, _cache: &mut ()) -> Tensor {
        ctx.tensor(&[0])
    }
}
