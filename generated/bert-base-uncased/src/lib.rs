//! bert-base-uncased: the `bert` family, 109,514,298 parameters.
//!
//! BERT, ERNIE and BigBird: a bidirectional encoder with learned positions, token types and LayerNorm after each branch.
//!
//! Generated from `specs/models/bert-base-uncased.toml`; edit the spec and run `formwork compile specs/models/bert-base-uncased.toml`.
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
pub use model::MaskedLm;

/// The model with the tokenizer of its checkpoint's folder: text in, text out.
#[cfg(feature = "text")]
pub type Text = formwork_text::TextModel<MaskedLm>;
