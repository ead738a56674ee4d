//! The keys under which a GGUF file holds its vocabulary, each read as what it has to be.

use std::collections::BTreeMap;

use formwork_format::gguf::{self, Value};

use crate::Error;

/// What the names of all keys begin with.
const PREFIX: &str = "tokenizer.ggml.";

/// Keys that say something of the vocabulary. Ids of tokens have keys of their own, which end in `_token_id`.
const KNOWN: [&str; 15] = [
    "model",
    "pre",
    "tokens",
    "token_type",
    "token_type_count",
    "scores",
    "merges",
    "add_bos_token",
    "add_eos_token",
    "add_sep_token",
    "add_space_prefix",
    "remove_extra_whitespaces",
    "precompiled_charsmap",
    "normalizer.lowercase",
    "normalizer.strip_accents",
];

/// The keys of a file.
pub(super) struct Keys<'a> {
    file: &'a [u8],
    values: BTreeMap<String, Value>,
}

impl<'a> Keys<'a> {
    /// Reads the keys of a file, none of which may be unknown.
    pub(super) fn of(file: &'a [u8]) -> Result<Self, Error> {
        let header = gguf::parse(file).map_err(|error| Error::bad(error.message))?;
        let own = header.values.keys().filter_map(|key| key.strip_prefix(PREFIX));
        let known = |key: &str| KNOWN.contains(&key) || key.ends_with("_token_id") || key == "suppress_tokens";
        match own.into_iter().find(|key| !known(key)) {
            Some(key) => Err(fault(key, format!("no such key is known; there are {}", KNOWN.join(", ")))),
            None => Ok(Self { file, values: header.values }),
        }
    }

    /// A key's value, read by `read`, which gives nothing for one that is not `what`.
    fn get<T>(&self, key: &str, what: &str, read: impl FnOnce(&Value) -> Option<T>) -> Result<Option<T>, Error> {
        let value = self.values.get(&format!("{PREFIX}{key}"));
        value.map(|value| read(value).ok_or_else(|| fault(key, format!("it is not {what}")))).transpose()
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Error> {
        self.get(key, "a text", |value| value.text(self.file))
    }

    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<&'a str>>, Error> {
        self.get(key, "a list of texts", |value| Some(value.texts(self.file)?.collect()))
    }

    pub(super) fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, Error> {
        self.get(key, "a list of numbers", |value| match value {
            Value::Numbers(numbers) => Some(numbers.of(self.file).collect()),
            _ => None,
        })
    }

    pub(super) fn bytes(&self, key: &str) -> Result<Option<&'a [u8]>, Error> {
        self.get(key, "a list of bytes", |value| match value {
            Value::Numbers(numbers) => numbers.bytes(self.file),
            _ => None,
        })
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Error> {
        self.get(key, "true or false", |value| match value {
            Value::Number(number) if *number == 0.0 || *number == 1.0 => Some(*number == 1.0),
            _ => None,
        })
    }

    /// The id of a token, which has to be below `count`.
    pub(super) fn id(&self, key: &str, count: usize) -> Result<Option<u32>, Error> {
        self.get(key, &format!("the id of one of the {count} tokens"), |value| match value {
            Value::Number(id) if *id >= 0.0 && *id < count as f64 && id.fract() == 0.0 => Some(*id as u32),
            _ => None,
        })
    }
}

/// A key that has to be there.
pub(super) fn needed<T>(key: &str, value: Option<T>) -> Result<T, Error> {
    value.ok_or_else(|| fault(key, "it is missing"))
}

/// What is wrong with a key.
pub(super) fn fault(key: &str, message: impl std::fmt::Display) -> Error {
    Error::at(&format!("{PREFIX}{key}"), message)
}
