//! Who computes.

use formwork_runtime::{Continuation, Info, Model, Next, Output, Score, Texts, Windows, Worker};

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
    /// Of a model of this process.
    pub fn of(info: &Info) -> Self {
        Self {
            name: info.name.into(),
            task: info.task.into(),
            output: info.output.into(),
            inputs: info.inputs.iter().map(ToString::to_string).collect(),
            generates: info.generates,
            max_positions: info.max_positions,
        }
    }

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

/// A model that reads texts and continues them: one of this process, or a program that runs it.
pub trait Engine {
    /// Reads texts side by side.
    ///
    /// # Errors
    /// As [`Worker::read`].
    fn read(&mut self, texts: &Texts) -> Result<Vec<Output>>;

    /// Starts a continuation; gives the number of tokens of its beginning that are not read again.
    ///
    /// # Errors
    /// As [`Worker::begin`].
    fn begin(&mut self, asked: &Continuation) -> Result<usize>;

    /// The next id of the continuation; `None` at its end.
    ///
    /// # Errors
    /// As [`Worker::next_id`].
    fn next_id(&mut self) -> Result<Option<Next>>;

    /// How likely the model finds a text.
    ///
    /// # Errors
    /// As [`Worker::score`].
    fn score(&mut self, ids: &[u32], windows: Windows) -> Result<Score>;
}

impl<M: Model> Engine for Worker<M> {
    fn read(&mut self, texts: &Texts) -> Result<Vec<Output>> {
        Self::read(self, texts)
    }

    fn begin(&mut self, asked: &Continuation) -> Result<usize> {
        Self::begin(self, asked)
    }

    fn next_id(&mut self) -> Result<Option<Next>> {
        Self::next_id(self)
    }

    fn score(&mut self, ids: &[u32], windows: Windows) -> Result<Score> {
        Self::score(self, ids, windows)
    }
}
