//! What stands beside a vocabulary: `tokenizer_config.json` and `special_tokens_map.json`.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::bytes;
use crate::Error;
use crate::json::parse;

/// Both files, the first one deciding.
pub(crate) struct Settings(Vec<Value>);

impl Settings {
    pub(crate) fn of(folder: &Path) -> Result<Self, Error> {
        let read = |name: &str| {
            let path = folder.join(name);
            match path.exists() {
                true => parse(&bytes(&path)?).map_err(|error| error.in_file(&path)),
                false => Ok(Value::Null),
            }
        };
        Ok(Self(vec![read("tokenizer_config.json")?, read("special_tokens_map.json")?]))
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().filter_map(|file| file.get(key)).find(|value| !value.is_null())
    }

    /// A switch.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| Error::at(key, format!("{value} is neither true nor false")))
    }

    /// The text of a special token such as `cls_token`: a string, or an object with its content.
    pub(crate) fn token(&self, key: &str) -> Option<String> {
        let value = self.get(key)?;
        value.as_str().or_else(|| value["content"].as_str()).map(String::from)
    }

    /// Fails where a setting asks for something that is not done.
    pub(crate) fn refuse(&self, key: &str, is_fine: impl Fn(&Value) -> bool) -> Result<(), Error> {
        match self.get(key) {
            Some(value) if !is_fine(value) => Err(Error::at(key, format!("{value} is not supported"))),
            _ => Ok(()),
        }
    }

    /// The tokens to add, as a `tokenizer.json` lists them: those of `added_tokens_decoder`, and the special tokens that
    /// `id` finds in the vocabulary.
    pub(crate) fn added(&self, id: impl Fn(&str) -> Option<u32>) -> Result<Vec<Value>, Error> {
        let mut added: Vec<Value> = Vec::new();
        for (key, token) in self.get("added_tokens_decoder").and_then(Value::as_object).into_iter().flatten() {
            let path = format!("added_tokens_decoder.{key}");
            let id: u32 = key.parse().map_err(|_| Error::at(&path, "not an id"))?;
            let Some(content) = token["content"].as_str() else {
                return Err(Error::at(&path, "an added token has no content"));
            };
            added.push(entry(id, content, token.as_object()));
        }
        for key in ["unk_token", "bos_token", "eos_token", "cls_token", "sep_token", "pad_token", "mask_token"] {
            let Some(token) = self.token(key) else { continue };
            let listed = added.iter().any(|it| it["content"] == token.as_str());
            if let Some(id) = id(&token).filter(|_| !listed) {
                added.push(entry(id, &token, self.get(key).and_then(Value::as_object)));
            }
        }
        added.sort_by_key(|token| token["id"].as_u64());
        Ok(added)
    }
}

/// A token to add; what is not given of it is as for a special token.
pub(crate) fn entry(id: u32, content: &str, given: Option<&Map<String, Value>>) -> Value {
    let flag = |key: &str, default: bool| given.and_then(|it| it.get(key)?.as_bool()).unwrap_or(default);
    json!({"id": id, "content": content, "single_word": flag("single_word", false), "lstrip": flag("lstrip", false),
        "rstrip": flag("rstrip", false), "normalized": flag("normalized", false), "special": flag("special", true)})
}

/// A post-processor that puts tokens around a text; null without any.
pub(crate) fn template(before: Option<&(String, u32)>, after: Option<&(String, u32)>) -> Value {
    let around = |name: &str| -> Vec<Value> {
        let token = |it: &(String, u32)| json!({"SpecialToken": {"id": it.0, "type_id": 0}});
        let text = json!({"Sequence": {"id": name, "type_id": 0}});
        before.map(token).into_iter().chain([text]).chain(after.map(token)).collect()
    };
    let mut special = Map::new();
    for (content, id) in [before, after].into_iter().flatten() {
        special.insert(content.clone(), json!({"id": content, "ids": [id], "tokens": [content]}));
    }
    if special.is_empty() {
        return Value::Null;
    }
    let pair = [around("A"), around("B")].concat();
    json!({"type": "TemplateProcessing", "single": around("A"), "pair": pair, "special_tokens": special})
}

/// As [`template`], with two separators between the texts of a pair: `<s> A </s></s> B </s>`, as classifiers with such a
/// vocabulary are trained (Liu et al. 2019, arXiv:1907.11692).
pub(crate) fn doubled_template(before: &(String, u32), after: &(String, u32)) -> Value {
    let token = |it: &(String, u32)| json!({"SpecialToken": {"id": it.0, "type_id": 0}});
    let text = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
    let mut whole = template(Some(before), Some(after));
    whole["pair"] = json!([token(before), text("A"), token(after), token(after), text("B"), token(after)]);
    whole
}

/// As [`template`], with the second text of a pair in a segment of its own: `[CLS] A [SEP] B [SEP]` (Devlin et al. 2018,
/// arXiv:1810.04805, section 3.2).
pub(crate) fn segment_template(before: &(String, u32), after: &(String, u32)) -> Value {
    let token = |it: &(String, u32), segment: u32| json!({"SpecialToken": {"id": it.0, "type_id": segment}});
    let text = |name: &str, segment: u32| json!({"Sequence": {"id": name, "type_id": segment}});
    let mut whole = template(Some(before), Some(after));
    whole["pair"] = json!([token(before, 0), text("A", 0), token(after, 0), text("B", 1), token(after, 1)]);
    whole
}
