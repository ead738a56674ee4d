//! gpt2: the `gpt2` family, 124,439,808 parameters.
//!
//! GPT-2: learned positions, LayerNorm before each branch, one fused projection for queries, keys and values.
//!
//! Generated from `specs/models/gpt2.toml`; edit the spec and run `formwork compile specs/models/gpt2.toml`.
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
