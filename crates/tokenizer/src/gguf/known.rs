//! Names that GGUF files give to algorithms and to ways of cutting a text into words.
//!
//! They are data, `known.json`: the patterns are those that `tokenizer.json` files of the same vocabularies have, the names those
//! of llama.cpp's `llama-vocab.cpp`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::keys::fault;
use crate::{Error, Kind};

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    serde_json::from_str(include_str!("known.json")).unwrap_or_else(|error| unreachable!("known.json: {error}"))
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    models: BTreeMap<String, String>,
    pre_tokenizers: Vec<PreTokenizer>,
}

/// How a text is cut into the words that merges make tokens of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PreTokenizer {
    names: Vec<String>,
    /// Each cuts what the one before it leaves: what it matches is a word, and so is what lies between.
    pub(super) patterns: Vec<String>,
    /// A word that is a token is taken whole.
    #[serde(default)]
    pub(super) whole_words: bool,
    /// A text begins with a token unless the file says otherwise.
    #[serde(default)]
    pub(super) add_bos: bool,
}

/// The kind of tokenizer that a file's `model` names.
pub(super) fn kind(name: &str) -> Result<Kind, Error> {
    let kind = KNOWN.models.get(name).and_then(|kind| Kind::named(kind));
    kind.ok_or_else(|| unknown("model", name, &mut KNOWN.models.keys()))
}

/// What a file's `pre` names.
pub(super) fn pre_tokenizer(name: &str) -> Result<&'static PreTokenizer, Error> {
    let all = &KNOWN.pre_tokenizers;
    let found = all.iter().find(|it| it.names.iter().any(|it| it == name));
    found.ok_or_else(|| unknown("pre", name, &mut all.iter().flat_map(|it| &it.names)))
}

fn unknown(key: &str, name: &str, known: &mut dyn Iterator<Item = &String>) -> Error {
    let mut known: Vec<&str> = known.map(String::as_str).collect();
    known.sort_unstable();
    fault(key, format!("`{name}` is not known; there are {}", known.join(", ")))
}
