//! How the tokens of a text come about.

use std::ops::Range;

/// The stages of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The text after normalisation.
    pub normalized: String,
    /// The pieces that the model splits, each on its own.
    pub words: Vec<Word>,
}

/// A piece of the text that the model splits on its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// The piece as the model sees it.
    pub text: String,
    /// The bytes of the text that it stands for.
    pub place: Range<usize>,
    /// Whether it is a token that stands outside the model's splitting.
    pub added: bool,
    /// From whole characters, or from the whole word, to the tokens.
    pub steps: Vec<Step>,
    /// The tokens with their ids, as [`Tokenizer::tokens`](crate::Tokenizer::tokens) gives them.
    pub tokens: Vec<(String, u32)>,
}

/// One step of splitting a word.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The parts of the word after it.
    pub parts: Vec<String>,
    /// What was done, e.g. `a + b`; empty for the start.
    pub done: String,
}

impl Step {
    pub(crate) fn new(parts: Vec<String>, done: impl Into<String>) -> Self {
        Self { parts, done: done.into() }
    }
}
