//! The model of a `tokenizer.json`: vocabulary and merges.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::id;
use crate::Error;

const TYPES: [&str; 4] = ["BPE", "WordPiece", "WordLevel", "Unigram"];

pub(super) fn check(model: &Value) -> Result<(), Error> {
    if !model.is_object() {
        return Err(Error::at("model", "there is no `model`"));
    }
    if let Some(kind) = model.get("type").filter(|kind| !TYPES.iter().any(|known| *kind == known)) {
        return Err(Error::at("model.type", format!("{kind} is no known model; there are {}", TYPES.join(", "))));
    }
    if model["dropout"].as_f64().is_some_and(|share| share != 0.0) {
        return Err(Error::at("model.dropout", "leaves merges out by chance, so a text would not have one encoding"));
    }
    if model["max_input_chars_per_word"] == 0 {
        return Err(Error::at("model.max_input_chars_per_word", "0 leaves no words"));
    }
    match &model["vocab"] {
        Value::Object(vocab) => {
            ids(vocab)?;
            merges(model, vocab)
        }
        Value::Array(pieces) => scores(model, pieces),
        _ => Err(Error::at("model.vocab", "neither an object of ids nor a list of scored tokens")),
    }
}

/// Every token has an id of its own.
fn ids(vocab: &Map<String, Value>) -> Result<(), Error> {
    let mut owners = HashMap::with_capacity(vocab.len());
    for (token, value) in vocab {
        let path = || format!("model.vocab[{token:?}]");
        if let Some(owner) = owners.insert(id(&path(), value)?, token) {
            return Err(Error::at(&path(), format!("the id {value} is also that of `{owner}`")));
        }
    }
    Ok(())
}

/// Both parts of a merge and what it makes are tokens.
fn merges(model: &Value, vocab: &Map<String, Value>) -> Result<(), Error> {
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or_default();
    for (at, merge) in model["merges"].as_array().into_iter().flatten().enumerate() {
        let fault = |message: String| Error::at(&format!("model.merges[{at}]"), message);
        let (left, right) = pair(merge).ok_or_else(|| fault(format!("{merge} is no pair of tokens")))?;
        let tail = right.strip_prefix(prefix).ok_or_else(|| fault(format!("`{right}` lacks the prefix `{prefix}`")))?;
        for token in [left, right, &format!("{left}{tail}")] {
            if !vocab.contains_key(token) {
                return Err(fault(format!("({left}, {right}) needs `{token}`, which the vocabulary lacks")));
            }
        }
    }
    Ok(())
}

/// Both spellings: `"a b"` and `["a", "b"]`.
fn pair(merge: &Value) -> Option<(&str, &str)> {
    match merge {
        Value::String(text) => text.split_once(' ').filter(|(_, right)| !right.contains(' ')),
        Value::Array(items) => match items.as_slice() {
            [left, right] => Some((left.as_str()?, right.as_str()?)),
            _ => None,
        },
        _ => None,
    }
}

/// Tokens with scores; an unknown token among them.
fn scores(model: &Value, pieces: &[Value]) -> Result<(), Error> {
    for (at, piece) in pieces.iter().enumerate() {
        let scored =
            |piece: &Value| matches!(piece.as_array()?.as_slice(), [Value::String(_), Value::Number(_)]).then_some(());
        if scored(piece).is_none() {
            return Err(Error::at(&format!("model.vocab[{at}]"), format!("{piece} is no token with its score")));
        }
    }
    match &model["unk_id"] {
        Value::Null => Ok(()),
        value if (id("model.unk_id", value)? as usize) < pieces.len() => Ok(()),
        value => Err(Error::at("model.unk_id", format!("{value} is beyond the {} tokens", pieces.len()))),
    }
}
