//! The stages around the model: each component by itself, so that a fault is named with its place.

use serde_json::Value;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper};

use crate::{Error, guard};

/// One of the stages.
struct Stage {
    key: &'static str,
    /// Where a sequence holds its components.
    inner: &'static str,
    /// The components that the loader has.
    known: &'static [&'static str],
    /// Loads one component, given its type.
    load: fn(&str, Value) -> Result<(), serde_json::Error>,
}

const STAGES: [Stage; 4] = [
    Stage {
        key: "normalizer",
        inner: "normalizers",
        known: &[
            "BertNormalizer",
            "Strip",
            "StripAccents",
            "NFC",
            "NFD",
            "NFKC",
            "NFKD",
            "Lowercase",
            "Nmt",
            "Precompiled",
            "Replace",
            "Prepend",
            "ByteLevel",
        ],
        load: |_, value| serde_json::from_value::<NormalizerWrapper>(value).map(drop),
    },
    Stage {
        key: "pre_tokenizer",
        inner: "pretokenizers",
        known: &[
            "BertPreTokenizer",
            "ByteLevel",
            "CharDelimiterSplit",
            "Metaspace",
            "Whitespace",
            "Split",
            "Punctuation",
            "WhitespaceSplit",
            "Digits",
            "UnicodeScripts",
            "FixedLength",
        ],
        load: |_, value| serde_json::from_value::<PreTokenizerWrapper>(value).map(drop),
    },
    Stage {
        key: "post_processor",
        inner: "processors",
        known: &["RobertaProcessing", "BertProcessing", "ByteLevel", "TemplateProcessing"],
        load: processor,
    },
    Stage {
        key: "decoder",
        inner: "decoders",
        known: &[
            "BPEDecoder",
            "ByteLevel",
            "WordPiece",
            "Metaspace",
            "CTC",
            "Replace",
            "Fuse",
            "Strip",
            "ByteFallback",
        ],
        load: |_, value| serde_json::from_value::<DecoderWrapper>(value).map(drop),
    },
];

pub(super) fn check(json: &Value) -> Result<(), Error> {
    STAGES.iter().try_for_each(|stage| component(stage, stage.key, &json[stage.key]))
}

fn component(stage: &Stage, path: &str, value: &Value) -> Result<(), Error> {
    if value.is_null() {
        return Ok(());
    }
    let Some(kind) = value["type"].as_str() else {
        return Err(Error::at(path, "a component has no `type`"));
    };
    if kind == "Sequence" {
        let Some(parts) = value[stage.inner].as_array() else {
            return Err(Error::at(path, format!("a sequence has no `{}`", stage.inner)));
        };
        let inner = |at: usize| format!("{path}.{}[{at}]", stage.inner);
        return parts.iter().enumerate().try_for_each(|(at, part)| component(stage, &inner(at), part));
    }
    if !stage.known.contains(&kind) {
        let known = stage.known.join(", ");
        return Err(Error::at(
            &format!("{path}.type"),
            format!("`{kind}` is no known {}; there are {known}", stage.key),
        ));
    }
    details(path, kind, value)?;
    guard::run("loading", || Ok((stage.load)(kind, value.clone())?))
        .map_err(|error| Error::at(path, format!("`{kind}`: {}", error.message)))
}

/// The loader tells processors apart by their fields; here their type decides.
fn processor(kind: &str, value: Value) -> Result<(), serde_json::Error> {
    match kind {
        "TemplateProcessing" => serde_json::from_value::<TemplateProcessing>(value).map(drop),
        "ByteLevel" => serde_json::from_value::<ByteLevel>(value).map(drop),
        _ => serde_json::from_value::<PostProcessorWrapper>(value).map(drop),
    }
}

/// What the loader takes and cannot run.
fn details(path: &str, kind: &str, value: &Value) -> Result<(), Error> {
    match kind {
        "FixedLength" if value["length"] == 0 => Err(Error::at(&format!("{path}.length"), "0 leaves no pieces")),
        "TemplateProcessing" => template(path, value),
        _ => Ok(()),
    }
}

/// Every special token that a template names must be described.
fn template(path: &str, value: &Value) -> Result<(), Error> {
    for name in ["single", "pair"] {
        for (at, piece) in value[name].as_array().into_iter().flatten().enumerate() {
            let token = piece.pointer("/SpecialToken/id").and_then(Value::as_str);
            if let Some(token) = token.filter(|token| value["special_tokens"].get(token).is_none()) {
                let path = format!("{path}.{name}[{at}]");
                return Err(Error::at(&path, format!("`{token}` is not among the special tokens of the template")));
            }
        }
    }
    Ok(())
}
