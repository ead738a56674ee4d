//! `vocab.json` and `merges.txt`: byte-level BPE.

use std::path::Path;

use serde_json::{Value, json};

use super::settings::{self, Settings};
use super::{bytes, text};
use crate::json::parse;
use crate::{Error, Tokenizer};

/// Reads both files and the settings beside them.
pub(super) fn read(folder: &Path) -> Result<Tokenizer, Error> {
    let (words, pairs) = (folder.join("vocab.json"), folder.join("merges.txt"));
    let vocab = parse(&bytes(&words)?).map_err(|error| error.in_file(&words))?;
    if !vocab.is_object() {
        return Err(Error::bad("not an object of ids").in_file(&words));
    }
    let list = text(&pairs)?;
    let merges = merges(&list).map_err(|error| error.in_file(&pairs))?;
    let settings = Settings::of(folder)?;
    settings.refuse("errors", |value| value == "replace")?;
    let id = |token: &str| vocab.get(token).and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
    let named = |key: &str| settings.token(key).and_then(|token| id(&token).map(|id| (token, id)));
    let asked =
        |flag: &str, key: &str| Ok::<_, Error>(settings.flag(flag)?.unwrap_or(false).then(|| named(key)).flatten());
    // A vocabulary with a classifier's tokens puts them around every text.
    let around = match (named("cls_token"), named("sep_token")) {
        (Some(before), Some(after)) => settings::doubled_template(&before, &after),
        _ => {
            let (before, after) = (asked("add_bos_token", "bos_token")?, asked("add_eos_token", "eos_token")?);
            settings::template(before.as_ref(), after.as_ref())
        }
    };
    let spaced = settings.flag("add_prefix_space")?.unwrap_or(false);
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": settings.added(id)?,
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": spaced, "trim_offsets": true, "use_regex": true},
        "post_processor": around,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": merges},
    });
    Tokenizer::from_bytes(json.to_string().as_bytes()).map_err(|error| error.in_file(&words))
}

/// Two tokens a line; the first line may say a version.
fn merges(text: &str) -> Result<Vec<[&str; 2]>, Error> {
    let mut merges = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.is_empty() || (at == 0 && line.starts_with("#version")) {
            continue;
        }
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            [left, right] if !left.is_empty() && !right.is_empty() && !right.ends_with("</w>") => {
                merges.push([*left, *right]);
            }
            [_, right] if right.ends_with("</w>") => {
                let message = format!("line {}: ends of words are marked, which needs a tokenizer.json", at + 1);
                return Err(Error::bad(message));
            }
            _ => return Err(Error::bad(format!("line {}: {line:?} is no pair of tokens", at + 1))),
        }
    }
    Ok(merges)
}
