//! The named inputs of one step.

use formwork_tensor::{Asked, Error, Ids, Result, Tensor, Tokens};

use crate::model::{Info, Model};

/// Streams of tokens, plain ids and numbers, by name.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    tokens: Vec<(&'static str, Tokens)>,
    ids: Vec<(&'static str, Ids)>,
    features: Vec<(&'static str, Tensor)>,
}

impl Inputs {
    /// No inputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stream of tokens.
    pub fn with_tokens(mut self, name: &'static str, tokens: Tokens) -> Self {
        self.tokens.push((name, tokens));
        self
    }

    /// Adds plain ids.
    pub fn with_ids(mut self, name: &'static str, ids: Ids) -> Self {
        self.ids.push((name, ids));
        self
    }

    /// Adds numbers `[B, P, width]` and the stream of their places.
    pub fn with_features(mut self, name: &'static str, features: Tensor, places: Tokens) -> Self {
        self.features.push((name, features));
        self.with_tokens(name, places)
    }

    /// The stream of this name.
    ///
    /// # Panics
    /// If there is none: the caller gives every input that the model's `INFO` lists.
    pub fn tokens(&self, name: &str) -> &Tokens {
        let found = self.tokens.iter().find(|entry| entry.0 == name);
        &found.unwrap_or_else(|| panic!("no input `{name}`")).1
    }

    /// The ids of this name.
    ///
    /// # Panics
    /// As [`tokens`](Self::tokens).
    pub fn ids(&self, name: &str) -> &Ids {
        let found = self.ids.iter().find(|entry| entry.0 == name);
        &found.unwrap_or_else(|| panic!("no input `{name}`")).1
    }

    /// The numbers of this name.
    ///
    /// # Panics
    /// As [`tokens`](Self::tokens).
    pub fn features(&self, name: &str) -> &Tensor {
        let found = self.features.iter().find(|entry| entry.0 == name);
        &found.unwrap_or_else(|| panic!("no input `{name}`")).1
    }
}

/// The encoder's ids and their mask.
pub(crate) type Source = (Ids, Option<Vec<bool>>);

/// The inputs of one step of a model, from the user's data: all checked here, so that the model
/// need not.
pub(crate) struct Request {
    /// New ids of the stream that is continued.
    pub(crate) ids: Ids,
    /// How many came before.
    pub(crate) past: usize,
    /// Which of the slots so far are tokens.
    pub(crate) mask: Option<Vec<bool>>,
    /// The lengths of the texts that are packed into the only row; none: a row is a text.
    pub(crate) packed: Option<Vec<usize>>,
    /// What an encoder reads.
    pub(crate) source: Option<Source>,
    /// The segment of each token.
    pub(crate) types: Option<Ids>,
    /// Numbers `[B, P, width]` beside the ids.
    pub(crate) features: Option<Tensor>,
    /// Whose results are wanted.
    pub(crate) asked: Asked,
}

impl Request {
    /// New ids without padding.
    pub(crate) fn new(ids: Ids, past: usize) -> Self {
        Self { ids, past, mask: None, packed: None, source: None, types: None, features: None, asked: Asked::All }
    }

    /// Checks ids and lengths against the model and names the streams.
    pub(crate) fn inputs<M: Model>(self) -> Result<Inputs> {
        let info = &M::INFO;
        check_ids(info, &self.ids)?;
        let longest = self.packed.iter().flatten().max().copied();
        check_length(info, longest.unwrap_or(self.past + self.ids.len()))?;
        let mut inputs = Inputs::new();
        if let Some(width) = M::features() {
            let features = checked_features(self.features, self.ids.batch(), width)?;
            let places = Ids::zeros(self.ids.batch(), features.shape()[1]);
            inputs = inputs.with_features("features", features, Tokens::new(places, 0, None)?);
        }
        if info.inputs.contains(&"token_type_ids") {
            let (batch, len) = (self.ids.batch(), self.ids.len());
            let types = self.types.unwrap_or_else(|| Ids::zeros(batch, len));
            if (types.batch(), types.len()) != (batch, len) {
                let message = "token_type_ids and input_ids differ in shape";
                return Err(Error::new("input-shape", message));
            }
            inputs = inputs.with_ids("token_type_ids", types);
        }
        if !info.inputs.contains(&"decoder_input_ids") {
            let tokens = match self.packed {
                Some(lengths) => Tokens::packed(self.ids, &lengths)?,
                None => Tokens::new(self.ids, self.past, self.mask)?.asking(self.asked),
            };
            return Ok(inputs.with_tokens("input_ids", tokens));
        }
        let Some((source, mask)) = self.source else {
            return Err(Error::new("missing-input", "the model needs input_ids for its encoder"));
        };
        check_ids(info, &source)?;
        check_length(info, source.len())?;
        if source.batch() != self.ids.batch() {
            let message = "input_ids and decoder_input_ids differ in their number of rows";
            return Err(Error::new("input-shape", message));
        }
        let source = Tokens::new(source, 0, mask)?;
        let tokens = Tokens::new(self.ids, self.past, self.mask)?.asking(self.asked);
        Ok(inputs.with_tokens("input_ids", source).with_tokens("decoder_input_ids", tokens))
    }
}

/// Numbers of the width and the batch that the model reads.
fn checked_features(features: Option<Tensor>, batch: usize, width: usize) -> Result<Tensor> {
    let Some(features) = features else {
        let message = format!("the model needs features [{batch}, P, {width}] beside its ids");
        return Err(Error::new("missing-input", message));
    };
    match features.shape() {
        [rows, _, found] if *rows == batch && *found == width => Ok(features),
        found => {
            let message = format!("features are {found:?}, not [{batch}, P, {width}]");
            Err(Error::new("input-shape", message))
        }
    }
}

fn check_ids(info: &Info, ids: &Ids) -> Result<()> {
    match ids.data().iter().find(|id| **id as usize >= info.vocab_size) {
        None => Ok(()),
        Some(id) => {
            let message = format!("id {id} is outside the vocabulary of {} ids", info.vocab_size);
            Err(Error::new("token-out-of-range", message).help("check that the tokenizer belongs to this model"))
        }
    }
}

/// The largest number of tokens that a cache makes room for.
pub(crate) const MAX_ROOM: usize = 1 << 24;

/// Fails if a cache for a sequence of `len` tokens is not to be made.
pub(crate) fn check_room(info: &Info, len: usize) -> Result<()> {
    check_length(info, len)?;
    if len > MAX_ROOM {
        return Err(Error::new("context-too-long", format!("{len} tokens are more than a cache can hold")));
    }
    Ok(())
}

/// Fails if a sequence is longer than the model's positions.
fn check_length(info: &Info, len: usize) -> Result<()> {
    match info.max_positions {
        Some(max) if len > max => {
            let message = format!("{len} tokens are more than the {max} positions of this model");
            Err(Error::new("context-too-long", message).help("shorten the input or generate less"))
        }
        _ => Ok(()),
    }
}
