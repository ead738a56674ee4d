//! Text in, text out, on a model and the files of its checkpoint.
//!
//! What is done with a text stands here once; who computes is an [`Engine`], e.g. the program of a model.

mod batches;
mod chat;
mod classify;
mod dumps;
mod embed;
mod engine;
mod error;
mod fill_mask;
mod folder;
mod generate;
mod model;
mod pooling;
mod prompts;
mod sources;
mod stops;
mod template;
mod unapplied;
mod vectors;

pub use chat::Chat;
pub use classify::{Classifier, Classify, Label};
pub use embed::{Embed, Embedder};
pub use engine::{Engine, Facts};
pub use error::{CODES, Error, Result};
pub use fill_mask::{FillMask, Filler};
pub use folder::Folder;
pub use generate::{Generate, Generation, Generator, Likely, Piece, Token};
pub use model::TextModel;
pub use pooling::{Mode, Pooling};
pub use prompts::Start;
pub use sources::Input;
pub use stops::Stops;
pub use template::{Message, Template};
pub use vectors::Vectors;
