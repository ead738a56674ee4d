//! A model that continues one sequence after the other, and reads again only what is new.

use formwork_ops::{CacheFormat, Room};
use formwork_tensor::{Context, Error, Result, Tensor};

use crate::batch::Chosen;
use crate::inputs::{MAX_ROOM, check_room};
use crate::model::Model;
use crate::sampling::Sampling;
use crate::scoring::{Score, Windows, score};
use crate::session::{Choices, Past, Session};
use crate::texts::{Output, Texts, read_texts};

/// How a sequence is continued.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    /// What the decoder begins with, or the text that is continued.
    pub prompt: Vec<u32>,
    /// What the encoder of an encoder-decoder reads.
    pub source: Option<Vec<u32>>,
    /// The most ids that are added.
    pub count: usize,
    /// How ids are chosen.
    pub sampling: Sampling,
    /// Ids that end it and are not part of it.
    pub stop: Vec<u32>,
    /// How many of the likeliest ids are told with each chosen one; `None`: not even its own probability.
    pub alternatives: Option<usize>,
}

/// Tokens that a cache has room for at least, so that a sequence can grow in it. Its memory is taken as it fills.
const ROOM: usize = 4096;

/// A model, and what it keeps of the sequence that it continued last.
pub struct Worker<M: Model> {
    model: M,
    ctx: Context,
    format: CacheFormat,
    features: Option<Tensor>,
    past: Option<Past<M::Cache>>,
    going: Option<Going>,
}

/// A continuation that has begun.
struct Going {
    choices: Choices,
    alternatives: Option<usize>,
}

/// An id that was added to a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// The id.
    pub id: u32,
    /// How likely it was, where that was asked for.
    pub likelihood: Option<Chosen>,
}

impl<M: Model> Worker<M> {
    /// A worker that keeps keys and values in `format`.
    pub fn new(model: M, ctx: Context, format: CacheFormat) -> Self {
        Self { model, ctx, format, features: None, past: None, going: None }
    }

    /// Sets the numbers `[1, P, width]` that the model reads beside the ids of every sequence.
    pub fn with_features(mut self, features: Tensor) -> Self {
        self.features = Some(features);
        self
    }

    /// Reads texts side by side, shorter ones padded on the right; gives the output of each.
    ///
    /// # Errors
    /// As [`read_texts`].
    pub fn read(&self, texts: &Texts) -> Result<Vec<Output>> {
        read_texts(&self.model, &self.ctx, texts, self.format)
    }

    /// How likely the model finds a text.
    ///
    /// # Errors
    /// As [`score`].
    pub fn score(&self, ids: &[u32], windows: Windows) -> Result<Score> {
        score(&self.model, &self.ctx, ids, windows, self.format)
    }

    /// Starts a continuation; what is kept of its beginning is not read again. Gives the number of such tokens.
    ///
    /// # Errors
    /// `not-generative`; `empty-input`; `context-too-long` if the prompt and the new ids do not fit; `sampling-option`.
    pub fn begin(&mut self, asked: &Continuation) -> Result<usize> {
        if !M::INFO.generates {
            return Err(Error::new("not-generative", format!("`{}` does not continue sequences", M::INFO.name)));
        }
        if asked.prompt.is_empty() {
            return Err(Error::new("empty-input", "the prompt holds no ids"));
        }
        let needed = asked.prompt.len().saturating_add(asked.count);
        check_room(&M::INFO, needed)?;
        self.going = None;
        let keeps =
            |past: &Past<M::Cache>| past.room.tokens >= needed && past.source.is_none() && asked.source.is_none();
        let mut session = match self.past.take().filter(keeps) {
            Some(past) => Session::resume(&self.model, &self.ctx, past),
            None => {
                let tokens =
                    needed.saturating_mul(2).max(ROOM).min(M::INFO.max_positions.unwrap_or(MAX_ROOM)).max(needed);
                let session = Session::new(&self.model, &self.ctx, Room { tokens, format: self.format })?;
                match &self.features {
                    Some(features) => session.with_features(features.clone()),
                    None => session,
                }
            }
        };
        if let Some(source) = &asked.source {
            session = session.with_source(source)?;
        }
        let read = session.go_back(&asked.prompt);
        let mut choices = Choices::new(&asked.prompt, read, asked.count, asked.sampling)?;
        choices.stop.clone_from(&asked.stop);
        self.past = Some(session.suspend());
        self.going = Some(Going { choices, alternatives: asked.alternatives });
        Ok(read)
    }

    /// The next id of the continuation; `None` at its end.
    ///
    /// # Errors
    /// As [`Session::step`]; `no-finite-logits`. The continuation ends with it, and nothing is kept.
    pub fn next_id(&mut self) -> Result<Option<Next>> {
        let (Some(going), Some(past)) = (&mut self.going, self.past.take()) else { return Ok(None) };
        let mut session = Session::resume(&self.model, &self.ctx, past);
        let next = going.choices.next(&mut session).transpose()?;
        self.past = Some(session.suspend());
        Ok(next.map(|(id, logits)| {
            let likelihood = going.alternatives.map(|count| Chosen::of(&logits, id, count));
            Next { id, likelihood }
        }))
    }
}
