//! A text as tokens.

use std::ops::Range;

/// The tokens of a text, each with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// Ids.
    pub ids: Vec<u32>,
    /// The tokens as the vocabulary writes them.
    pub tokens: Vec<String>,
    /// The bytes of the text that each token stands for; empty for a token that was put around the text.
    pub offsets: Vec<Range<usize>>,
    /// Places of the text that no token stands for, written as the unknown token.
    pub unknown: Vec<Range<usize>>,
}
