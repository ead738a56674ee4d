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
#![cfg_attr(
    feature = "text",
    doc = r#"
# Text in, text out

With the feature `text` a model is opened with the tokenizer of its checkpoint's folder.

```
use formwork::Transformer;
use formwork::text::Generate;

#[derive(Transformer)]
#[spec("../../tests/fixtures/texts/generate/config.json")]
struct Decoder;

#[derive(Transformer)]
#[spec("../../tests/fixtures/texts/embed/config.json")]
struct Encoder;

let checkpoints = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/texts");
let mut decoder = Decoder::open(format!("{checkpoints}/generate"))?;
for piece in decoder.generate("The cats", &Generate { count: Some(8), ..Generate::default() })? {
    print!("{}", piece?.text);
}
println!("perplexity {:.1}", decoder.score("The cats of the world", None, None)?.perplexity());

let mut encoder = Encoder::open(format!("{checkpoints}/embed"))?;
let vectors = encoder.embed(&["the cats", "the world"])?;
assert_eq!((vectors.rows().len(), vectors.width), (2, 16));
# Ok::<(), formwork::Error>(())
```
"#
)]

use std::path::Path;

pub use formwork_macros::{Transformer, transformer};
pub use formwork_runtime as rt;
pub use formwork_runtime::{
    CacheFormat, Context, Error, Ids, Info, Inputs, Model, Result, Room, Sampling, Session, Tensor, Tokens, Weights,
};
#[cfg(feature = "text")]
pub use formwork_text as text;

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

    /// Loads a checkpoint with the tokenizer of its folder.
    ///
    /// # Errors
    /// As [`load`](Self::load). A tokenizer is read when it is needed first.
    #[cfg(feature = "text")]
    fn open(path: impl AsRef<Path>) -> Result<text::TextModel<Self::Instance>> {
        text::TextModel::open(path)
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
        packs: false,
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
