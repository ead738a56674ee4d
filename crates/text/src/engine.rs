//! Who computes.

use formwork_runtime::{Chosen, Continuation, Info, Model, Output, Texts, Worker};

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
    /// The number of ids.
    pub vocab_size: usize,
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
            vocab_size: info.vocab_size,
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

/// A model that answers requests, one after the other; [`Worker`] says what each means.
pub trait Engine {
    /// What it is.
    fn facts(&self) -> &Facts;

    /// Reads texts side by side.
    ///
    /// # Errors
    /// As [`Worker::read`].
    fn read(&mut self, texts: &Texts) -> Result<Vec<Output>>;

    /// Starts a continuation; gives the tokens of its beginning that are not read again.
    ///
    /// # Errors
    /// As [`Worker::begin`].
    fn begin(&mut self, asked: Continuation) -> Result<usize>;

    /// The next id of the continuation.
    ///
    /// # Errors
    /// As [`Worker::next_id`].
    fn next_id(&mut self) -> Result<Option<Chosen>>;
}

/// A model in this process.
pub struct Local<M: Model> {
    facts: Facts,
    worker: Worker<M>,
}

impl<M: Model> Local<M> {
    /// The engine around a worker.
    pub fn new(worker: Worker<M>) -> Self {
        Self { facts: Facts::of(&M::INFO), worker }
    }

    /// The worker.
    pub fn worker(&self) -> &Worker<M> {
        &self.worker
    }
}

impl<M: Model> Engine for Local<M> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn read(&mut self, texts: &Texts) -> Result<Vec<Output>> {
        self.worker.read(texts)
    }

    fn begin(&mut self, asked: Continuation) -> Result<usize> {
        self.worker.begin(asked)
    }

    fn next_id(&mut self) -> Result<Option<Chosen>> {
        self.worker.next_id()
    }
}
