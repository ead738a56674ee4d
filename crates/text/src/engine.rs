//! Who computes.

use formwork_runtime::{Output, Texts};

use crate::error::Result;

/// What has to be known of a model besides its code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The name of the spec.
    pub name: String,
    /// The entry point: `causal_lm`, `classifier`, ...
    pub task: String,
    /// What it gives: `logits` or `last_hidden_state`.
    pub output: String,
    /// The inputs that it reads.
    pub inputs: Vec<String>,
    /// Whether it continues a sequence token by token.
    pub generates: bool,
    /// The largest number of tokens of a sequence, where it is limited.
    pub max_positions: Option<usize>,
}

impl Facts {
    /// Whether it has a decoder beside its encoder.
    pub fn decodes(&self) -> bool {
        self.reads("decoder_input_ids")
    }

    /// Whether it tells segments of a text apart.
    pub fn has_segments(&self) -> bool {
        self.reads("token_type_ids")
    }

    fn reads(&self, input: &str) -> bool {
        self.inputs.iter().any(|name| name == input)
    }
}

/// A model that reads texts.
pub trait Engine {
    /// Reads texts side by side.
    ///
    /// # Errors
    /// As [`formwork_runtime::read_texts`].
    fn read(&mut self, texts: &Texts) -> Result<Vec<Output>>;
}
