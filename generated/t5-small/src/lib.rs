//! t5-small: the `t5` family, 60,506,624 parameters.
//!
//! T5, mT5, UMT5, LongT5 and Switch Transformers: an encoder-decoder with bucketed relative positions, RMS norms before each branch and unscaled attention.
//!
//! Generated from `specs/models/t5-small.toml`; edit the spec and run `formwork compile specs/models/t5-small.toml`.
//!
//! | file | holds |
//! |---|---|
//! | `config.rs` | every number |
//! | `layers.rs` | the parts of the model |
//! | `model.rs` | the model and its entry point |
//! | `weights.rs` | names in a checkpoint |

pub mod config;
pub mod layers;
pub mod model;
pub mod weights;

pub use config::PARAMETERS;
pub use model::Seq2seq;

/// The model with the tokenizer of its checkpoint's folder: text in, text out.
#[cfg(feature = "text")]
pub type Text = formwork_text::TextModel<Seq2seq>;
