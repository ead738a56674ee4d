//! The stages around a model that is learnt.

use serde_json::{Value, json};

use super::Training;
use crate::open::settings::{segment_template, template};
use crate::{Error, Kind};

/// The stages, as a `tokenizer.json` says them.
pub(super) struct Stages {
    kind: Kind,
    normalizer: Value,
    pre_tokenizer: Value,
    decoder: Value,
}

impl Stages {
    pub(super) fn of(training: &Training) -> Result<Self, Error> {
        let normalizers = each(&training.normalizers, "normaliser", &Training::NORMALIZERS, normalizer)?;
        let splitters = each(&training.pre_tokenizers, "pre-tokenizer", &Training::PRE_TOKENIZERS, pre_tokenizer)?;
        let has = |name: &str| training.pre_tokenizers.iter().any(|it| it == name);
        if (training.kind == Kind::ByteLevelBpe) != has("byte-level") {
            return Err(Error::training(
                "byte-level BPE goes with the pre-tokenizer `byte-level`, and with no other kind",
            ));
        }
        let decoder = match training.kind {
            Kind::ByteLevelBpe => pre_tokenizer("byte-level"),
            Kind::WordPiece => json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
            _ if has("metaspace") => pre_tokenizer("metaspace"),
            _ => Value::Null,
        };
        let normalizer = sequence("normalizers", normalizers);
        Ok(Self { kind: training.kind, normalizer, pre_tokenizer: sequence("pretokenizers", splitters), decoder })
    }

    /// A whole `tokenizer.json`, special tokens having the first ids.
    pub(super) fn json(&self, special: &[String], model: &Value) -> Value {
        let id = |token: &str| special.iter().zip(0..).find(|(it, _)| *it == token).map(|(it, id)| (it.clone(), id));
        let around = match self.kind {
            Kind::WordPiece => match (id("[CLS]"), id("[SEP]")) {
                (Some(before), Some(after)) => segment_template(&before, &after),
                (before, after) => template(before.as_ref(), after.as_ref()),
            },
            _ => Value::Null,
        };
        let added = special.iter().zip(0..).map(|(token, id): (_, u32)| {
            json!({"id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true})
        });
        // While words are counted there is no vocabulary yet.
        let counting = model["vocab"].as_object().is_some_and(serde_json::Map::is_empty);
        let added: Vec<Value> = if counting { Vec::new() } else { added.collect() };
        json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
            "normalizer": self.normalizer, "pre_tokenizer": self.pre_tokenizer,
            "post_processor": if counting { Value::Null } else { around }, "decoder": self.decoder, "model": model})
    }
}

fn each(names: &[String], what: &str, known: &[&str], make: fn(&str) -> Value) -> Result<Vec<Value>, Error> {
    let unknown = |name: &&String| !known.contains(&name.as_str());
    if let Some(name) = names.iter().find(unknown) {
        return Err(Error::training(format!("`{name}` is no {what}; there are {}", known.join(", "))));
    }
    Ok(names.iter().map(|name| make(name)).collect())
}

fn sequence(key: &str, mut components: Vec<Value>) -> Value {
    match components.len() {
        0 => Value::Null,
        1 => components.remove(0),
        _ => json!({"type": "Sequence", key: components}),
    }
}

fn normalizer(name: &str) -> Value {
    match name {
        "strip" => json!({"type": "Strip", "strip_left": true, "strip_right": true}),
        "strip-accents" => json!({"type": "StripAccents"}),
        "lowercase" => json!({"type": "Lowercase"}),
        form => json!({"type": form.to_uppercase()}),
    }
}

fn pre_tokenizer(name: &str) -> Value {
    match name {
        "byte-level" => {
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true})
        }
        "metaspace" => {
            json!({"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true})
        }
        "digits" => json!({"type": "Digits", "individual_digits": true}),
        "punctuation" => json!({"type": "Punctuation", "behavior": "Isolated"}),
        "words" => json!({"type": "BertPreTokenizer"}),
        _ => json!({"type": "WhitespaceSplit"}),
    }
}
