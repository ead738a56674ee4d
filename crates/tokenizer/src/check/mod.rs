//! What a `tokenizer.json` must hold before it is loaded: mistakes that the loader would panic over, skip, or only notice
//! later. Every fault is named with its path inside the file.

mod components;
mod model;

use serde_json::Value;

use crate::Error;

/// The keys of a file.
const KEYS: [&str; 9] = [
    "version",
    "truncation",
    "padding",
    "added_tokens",
    "normalizer",
    "pre_tokenizer",
    "post_processor",
    "decoder",
    "model",
];

/// Checks a whole file.
pub(crate) fn tokenizer(json: &Value) -> Result<(), Error> {
    let Some(file) = json.as_object() else {
        return Err(Error::bad("not an object"));
    };
    if let Some(key) = file.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(Error::at(key, format!("no such key; there are {}", KEYS.join(", "))));
    }
    model::check(&json["model"])?;
    truncation(&json["truncation"])?;
    added(&json["added_tokens"])?;
    components::check(json)
}

fn truncation(truncation: &Value) -> Result<(), Error> {
    let number = |name: &str| truncation.get(name).and_then(Value::as_u64);
    match (number("stride"), number("max_length")) {
        (_, Some(0)) => Err(Error::at("truncation.max_length", "0 leaves no ids")),
        (Some(stride), Some(max)) if stride >= max => {
            Err(Error::at("truncation.stride", format!("{stride} is not below the length {max}")))
        }
        _ => Ok(()),
    }
}

fn added(tokens: &Value) -> Result<(), Error> {
    for (at, token) in tokens.as_array().into_iter().flatten().enumerate() {
        let path = format!("added_tokens[{at}]");
        if token["content"].as_str().is_none_or(str::is_empty) {
            return Err(Error::at(&path, "an added token has no content"));
        }
        id(&format!("{path}.id"), &token["id"])?;
    }
    Ok(())
}

/// A value that must be an id.
fn id(path: &str, value: &Value) -> Result<u32, Error> {
    value.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| Error::at(path, format!("{value} is no id")))
}
