//! What a `tokenizer.json` must hold before it is loaded: mistakes that the loader would panic over, or only notice later.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Error;

/// Checks a whole file.
pub(crate) fn tokenizer(json: &Value) -> Result<(), Error> {
    if !json.is_object() {
        return Err(Error::bad("not an object"));
    }
    model(json.get("model"))?;
    truncation(json.get("truncation"))?;
    added(json.get("added_tokens"))?;
    processor(json.get("post_processor"))
}

fn model(model: Option<&Value>) -> Result<(), Error> {
    let Some(model) = model.filter(|m| m.is_object()) else {
        return Err(Error::bad("there is no `model`"));
    };
    let Some(vocab) = model.get("vocab").and_then(Value::as_object) else {
        return Ok(()); // a list of pieces: the loader reads it with checks
    };
    for (token, id) in vocab {
        if id.as_u64().and_then(|id| u32::try_from(id).ok()).is_none() {
            return Err(Error::bad(format!("the id of `{token}` is {id}, which is no id")));
        }
    }
    let prefix = model.get("continuing_subword_prefix").and_then(Value::as_str).unwrap_or_default();
    for merge in model.get("merges").and_then(Value::as_array).into_iter().flatten() {
        let (left, right) =
            pair(merge).ok_or_else(|| Error::bad(format!("`{merge}` in `merges` is no pair of tokens")))?;
        let tail = if prefix.is_empty() {
            right
        } else {
            right
                .strip_prefix(prefix)
                .ok_or_else(|| Error::bad(format!("the merge ({left}, {right}) lacks the prefix `{prefix}`")))?
        };
        for token in [left, right, &format!("{left}{tail}")] {
            if !vocab.contains_key(token) {
                return Err(Error::bad(format!(
                    "the merge ({left}, {right}) needs `{token}`, which the vocabulary lacks"
                )));
            }
        }
    }
    Ok(())
}

/// Both spellings: `"a b"` and `["a", "b"]`.
fn pair(merge: &Value) -> Option<(&str, &str)> {
    match merge {
        Value::String(text) => text.split_once(' '),
        Value::Array(items) => match items.as_slice() {
            [left, right] => Some((left.as_str()?, right.as_str()?)),
            _ => None,
        },
        _ => None,
    }
}

fn truncation(truncation: Option<&Value>) -> Result<(), Error> {
    let number = |name: &str| truncation.and_then(|t| t.get(name)).and_then(Value::as_u64);
    match (number("stride"), number("max_length")) {
        (Some(stride), Some(max)) if stride >= max && max > 0 => {
            Err(Error::bad(format!("the truncation's stride {stride} is not below its length {max}")))
        }
        (_, Some(0)) => Err(Error::bad("the truncation leaves no ids")),
        _ => Ok(()),
    }
}

fn added(tokens: Option<&Value>) -> Result<(), Error> {
    for token in tokens.and_then(Value::as_array).into_iter().flatten() {
        if token.get("content").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(Error::bad("an added token has no content"));
        }
    }
    Ok(())
}

/// Every special token that a template names must be described.
fn processor(processor: Option<&Value>) -> Result<(), Error> {
    let Some(processor) = processor else {
        return Ok(());
    };
    for inner in processor.get("processors").and_then(Value::as_array).into_iter().flatten() {
        self::processor(Some(inner))?;
    }
    if processor.get("type").and_then(Value::as_str) != Some("TemplateProcessing") {
        return Ok(());
    }
    let described: BTreeSet<&String> =
        processor.get("special_tokens").and_then(Value::as_object).into_iter().flat_map(|m| m.keys()).collect();
    for template in ["single", "pair"] {
        for piece in processor.get(template).and_then(Value::as_array).into_iter().flatten() {
            let name = piece.pointer("/SpecialToken/id").and_then(Value::as_str);
            if let Some(name) = name.filter(|name| !described.contains(&name.to_string())) {
                return Err(Error::bad(format!(
                    "the post-processor's template names `{name}`, which its special tokens lack"
                )));
            }
        }
    }
    Ok(())
}
