//! What every implementation of a tokenizer does.

use std::fmt::Debug;

use crate::{Encoding, Error, Explanation, Kind};

/// A token that stands outside the model's own splitting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// Its id.
    pub id: u32,
    /// Its text.
    pub content: String,
    /// Whether it controls the model, and is left out of decoded text.
    pub special: bool,
}

/// An implementation of a tokenizer.
pub(crate) trait Engine: Debug + Send + Sync {
    fn kind(&self) -> Kind;

    /// The tokens of a text; `special` puts the model's special tokens around it.
    fn encode(&self, text: &str, special: bool) -> Result<Encoding, Error>;

    /// The ids of two texts that are read together, and the segment of each id.
    fn pair(&self, _first: &str, _second: &str) -> Result<(Vec<u32>, Vec<u32>), Error> {
        Err(Error::bad("the tokenizer's file says nothing of pairs of texts"))
    }

    fn explain(&self, text: &str) -> Result<Explanation, Error>;

    /// The text of ids; `special` writes special tokens as well.
    fn decode(&self, ids: &[u32], special: bool) -> Result<String, Error>;

    fn id(&self, token: &str) -> Option<u32>;

    fn token(&self, id: u32) -> Option<String>;

    /// Every token with its id, in any order.
    fn vocabulary(&self) -> Vec<(String, u32)>;

    /// Tokens that stand outside the model's splitting, in any order.
    fn added(&self) -> Vec<Added>;

    /// The number of merges of a BPE that has a list of them.
    fn merges(&self) -> Option<usize>;

    /// Cuts every text to so many ids.
    fn truncate(&mut self, limit: Option<usize>) -> Result<(), Error>;

    fn limit(&self) -> Option<usize>;

    /// Encodes what looks like a special token as the text that it is.
    fn treat_special_as_text(&mut self);
}
