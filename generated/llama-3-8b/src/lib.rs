//! llama-3-8b: the `llama` family, 8,030,261,248 parameters.
//!
//! Llama and its many relatives: pre-norm decoders with rotary positions, grouped-query attention and a gated feed-forward.
//!
//! Generated from `specs/models/llama-3-8b.toml`; edit the spec and run `formwork compile specs/models/llama-3-8b.toml`.
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
