//! `vocab.txt`: one token a line, its id the line's number; words are split by WordPiece.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::settings::{Settings, entry};
use super::word_pieces::WordPieces;
use super::{folder_of, text};
use crate::{Error, Tokenizer};

/// Reads the list and the settings beside it. What the settings leave out is as the format's first users had it:
/// lower case, accents stripped with it, a space around each CJK character, `##` inside words.
pub(super) fn read(path: &Path) -> Result<Tokenizer, Error> {
    let content = text(path)?;
    let vocab = vocabulary(&content).map_err(|error| error.in_file(path))?;
    let settings = Settings::of(&folder_of(path))?;
    settings.refuse("do_basic_tokenize", |value| value == true)?;
    settings.refuse("never_split", |value| value.as_array().is_some_and(Vec::is_empty))?;
    let id = |token: &str| vocab.get(token).copied();
    let name = |key: &str, default: &str| settings.token(key).unwrap_or_else(|| default.to_string());
    let around = |key: &str, default: &str| {
        let token = name(key, default);
        id(&token)
            .map(|id| (token.clone(), id))
            .ok_or_else(|| Error::bad(format!("there is no `{token}`")).in_file(path))
    };
    let (before, after) = (around("cls_token", "[CLS]")?, around("sep_token", "[SEP]")?);
    let (unknown, _) = around("unk_token", "[UNK]")?;
    let mut added = settings.added(id)?;
    for (token, id) in [&before, &after] {
        if !added.iter().any(|it| it["content"] == token.as_str()) {
            added.push(entry(*id, token, None));
        }
    }
    let vocab: Map<String, Value> =
        lines(&content).enumerate().map(|(id, token)| (token.to_string(), json!(id))).collect();
    let json = WordPieces {
        vocab,
        added,
        unknown: &unknown,
        around: [before, after],
        lowercase: settings.flag("do_lower_case")?.unwrap_or(true),
        strip_accents: settings.flag("strip_accents")?,
        space_cjk: settings.flag("tokenize_chinese_chars")?.unwrap_or(true),
    }
    .json();
    Tokenizer::from_bytes(json.to_string().as_bytes()).map_err(|error| error.in_file(path))
}

/// Lines without their ends; empty ones at the end are none.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.trim_end_matches(['\r', '\n']).split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line))
}

fn vocabulary(text: &str) -> Result<HashMap<&str, u32>, Error> {
    let mut ids = HashMap::new();
    for (at, token) in lines(text).enumerate() {
        let line = at + 1;
        if token.is_empty() {
            return Err(Error::bad(format!("line {line} is empty")));
        }
        let id = u32::try_from(at).map_err(|_| Error::bad("too many lines"))?;
        if let Some(first) = ids.insert(token, id) {
            return Err(Error::bad(format!("line {line} says `{token}` again, after line {}", first + 1)));
        }
    }
    Ok(ids)
}
