//! Text to token ids and back.
//!
//! A `tokenizer.json` is checked before it is handed to the `tokenizers` crate, and a panic there becomes an [`Error`]:
//! a broken file never ends the process. [`Stream`] turns ids into text as they come, never splitting a character.

mod check;
mod encoding;
mod engine;
mod error;
mod explain;
mod gguf;
mod guard;
mod json;
mod kind;
mod open;
mod pieces;
mod prepare;
mod stream;
mod train;

pub use encoding::Encoding;
pub use engine::Added;
pub use error::Error;
pub use explain::{Explanation, Step, Word};
pub use gguf::Ends;
pub use kind::Kind;
pub use prepare::{Corpus, Documents, Part, Preparation, Prepared};
pub use stream::Stream;
pub use train::{Progress, Trained, Training};

use engine::Engine;

/// A tokenizer. Padding that its file asks for is not applied.
#[derive(Debug)]
pub struct Tokenizer {
    engine: Box<dyn Engine>,
    /// Distinct tokens, and one more than the greatest id.
    vocab: (usize, usize),
}

impl Tokenizer {
    /// Reads the content of a `tokenizer.json`.
    ///
    /// # Errors
    /// If it is no tokenizer that works.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self::of(json::Json::new(bytes)?))
    }

    fn of(engine: impl Engine + 'static) -> Self {
        let tokens = engine.vocabulary();
        let vocab = (tokens.len(), tokens.iter().map(|(_, id)| *id as usize + 1).max().unwrap_or_default());
        Self { engine: Box::new(engine), vocab }
    }

    /// How it splits words.
    pub fn kind(&self) -> Kind {
        self.engine.kind()
    }

    /// Distinct tokens, those added to the model's own included.
    pub fn vocab_size(&self) -> usize {
        self.vocab.0
    }

    /// One more than the greatest id: the least number of rows of an embedding that serves every token.
    pub fn id_limit(&self) -> usize {
        self.vocab.1
    }

    /// The number of merges, where the tokenizer has a list of them.
    pub fn merges(&self) -> Option<usize> {
        self.engine.merges()
    }

    /// Tokens that stand outside the model's splitting, by id.
    pub fn added(&self) -> Vec<Added> {
        let mut added = self.engine.added();
        added.sort_by_key(|token| token.id);
        added
    }

    /// Cuts every text to `limit` ids, special tokens included; `None` cuts nothing.
    ///
    /// # Errors
    /// If the special tokens alone need more.
    pub fn truncate(&mut self, limit: Option<usize>) -> Result<(), Error> {
        self.engine.truncate(limit)
    }

    /// The most ids of a text, as set by the file or by [`Tokenizer::truncate`].
    pub fn limit(&self) -> Option<usize> {
        self.engine.limit()
    }

    /// From now on encodes what looks like a special token, e.g. `<s>`, as the text that it is: for text of strangers.
    pub fn treat_special_as_text(&mut self) {
        self.engine.treat_special_as_text();
    }

    /// The ids of a text, with the special tokens that the model expects around it.
    ///
    /// # Errors
    /// If the text cannot be written in this vocabulary.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        Ok(self.engine.encode(text, true)?.ids)
    }

    /// The ids of a text, or of two that are read together, with special tokens; and the segment of each id.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`]; if the tokenizer has no way to write pairs.
    pub fn pair(&self, first: &str, second: Option<&str>) -> Result<(Vec<u32>, Vec<u32>), Error> {
        match second {
            Some(second) => self.engine.pair(first, second),
            None => {
                let ids = self.encode(first)?;
                let segments = vec![0; ids.len()];
                Ok((ids, segments))
            }
        }
    }

    /// The tokens of a text with their places; `special` puts those around it that the model expects.
    ///
    /// # Errors
    /// If the text cannot be written in this vocabulary.
    pub fn tokens(&self, text: &str, special: bool) -> Result<Encoding, Error> {
        self.engine.encode(text, special)
    }

    /// How the tokens of a text come about, stage by stage. Takes time that grows with the square of a word's length.
    ///
    /// # Errors
    /// If the text cannot be written in this vocabulary.
    pub fn explain(&self, text: &str) -> Result<Explanation, Error> {
        self.engine.explain(text)
    }

    /// The text of ids, special tokens left out.
    ///
    /// # Errors
    /// If the decoder fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String, Error> {
        self.engine.decode(ids, false)
    }

    /// The text of ids, special tokens written as well.
    ///
    /// # Errors
    /// If the decoder fails.
    pub fn decode_all(&self, ids: &[u32]) -> Result<String, Error> {
        self.engine.decode(ids, true)
    }

    /// The id of a token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.engine.id(token)
    }

    /// The token of an id, as the vocabulary writes it.
    pub fn token(&self, id: u32) -> Option<String> {
        self.engine.token(id)
    }

    /// A decoder for ids that come one by one after `prompt`.
    ///
    /// # Errors
    /// If the prompt cannot be decoded.
    pub fn stream(&self, prompt: &[u32]) -> Result<Stream<'_>, Error> {
        Stream::new(self, prompt)
    }
}
