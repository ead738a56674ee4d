//! Kinds of tokenizers.

use std::fmt;

use serde_json::Value;

/// How a tokenizer splits words into tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Merges of neighbouring characters, in the order in which they were learnt.
    Bpe,
    /// The same over bytes, each written as a printable character.
    ByteLevelBpe,
    /// The longest token that a word begins with, again and again.
    WordPiece,
    /// The likeliest sequence of tokens.
    Unigram,
    /// Whole words.
    WordLevel,
}

impl Kind {
    /// The name in specs and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bpe => "bpe",
            Self::ByteLevelBpe => "byte-bpe",
            Self::WordPiece => "wordpiece",
            Self::Unigram => "unigram",
            Self::WordLevel => "wordlevel",
        }
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Bpe, Self::ByteLevelBpe, Self::WordPiece, Self::Unigram, Self::WordLevel]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// The kind of a checked `tokenizer.json`; its model may leave its type out, as old files do.
    pub(crate) fn of(json: &Value) -> Self {
        let model = &json["model"];
        match model["type"].as_str() {
            Some("WordPiece") => Self::WordPiece,
            Some("Unigram") => Self::Unigram,
            Some("WordLevel") => Self::WordLevel,
            Some(_) => Self::bpe(json),
            None if model["merges"].is_array() => Self::bpe(json),
            None if model["vocab"].is_array() => Self::Unigram,
            None if model.get("max_input_chars_per_word").is_some() => Self::WordPiece,
            None => Self::WordLevel,
        }
    }

    fn bpe(json: &Value) -> Self {
        let stages = ["normalizer", "pre_tokenizer"];
        if stages.iter().any(|stage| writes_bytes(&json[*stage])) { Self::ByteLevelBpe } else { Self::Bpe }
    }
}

/// Whether a component, or one inside it, writes bytes as characters.
fn writes_bytes(component: &Value) -> bool {
    let inner = ["normalizers", "pretokenizers"].iter().filter_map(|key| component[*key].as_array()).flatten();
    component["type"] == "ByteLevel" || inner.into_iter().any(writes_bytes)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
