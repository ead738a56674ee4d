//! tiny: the `transformer` family, 4,917,504 parameters.
//!
//! The standard family: the knobs that everybody knows, each with a default.
//!
//! Generated from `specs/tiny.toml`; edit the spec and run `formwork compile specs/tiny.toml`.
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
pub use model::CausalLm;

/// The model with the tokenizer of its checkpoint's folder: text in, text out.
#[cfg(feature = "text")]
pub type Text = formwork_text::TextModel<CausalLm>;
