//! The vocabulary in a GGUF file's keys.
//!
//! Their meaning: ggml's `docs/gguf.md`; what it leaves open is as llama.cpp reads it.

mod keys;
mod known;
mod merges;
mod pieces;
mod words;

use std::collections::HashMap;
use std::path::Path;

use formwork_format::{file, gguf};
use serde_json::{Value, json};

use crate::open::settings::entry;
use crate::pieces::Role;
use crate::{Error, Kind, Tokenizer};
use keys::{Keys, fault, needed};

/// Reads the vocabulary of a file; its weights are not touched.
pub(crate) fn read(path: &Path) -> Result<Tokenizer, Error> {
    let mapped = file::map(path).map_err(|unread| Error::unread(path, &unread))?;
    made(&mapped).map_err(|error| error.in_file(path))
}

/// The tokens that a GGUF file says texts begin and end with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The id of the first token.
    pub start: Option<u32>,
    /// The ids that end a text, or a turn of a conversation.
    pub ends: Vec<u32>,
}

impl Ends {
    /// What a checkpoint says; nothing, unless it is a GGUF file.
    ///
    /// # Errors
    /// If the file cannot be read, or gives what is none of its tokens.
    pub fn of_weights(weights: &Path) -> Result<Self, Error> {
        if !gguf::is_at(weights) {
            return Ok(Self::default());
        }
        let mapped = file::map(weights).map_err(|unread| Error::unread(weights, &unread))?;
        Self::of(&mapped).map_err(|error| error.in_file(weights))
    }

    fn of(file: &[u8]) -> Result<Self, Error> {
        let keys = Keys::of(file)?;
        let count = keys.texts("tokens")?.map_or(0, |tokens| tokens.len());
        let mut ends = Vec::new();
        for key in ["eos_token_id", "eot_token_id", "eom_token_id"] {
            ends.extend(keys.id(key, count)?.filter(|id| !ends.contains(id)));
        }
        Ok(Self { start: keys.id("bos_token_id", count)?, ends })
    }
}

fn made(file: &[u8]) -> Result<Tokenizer, Error> {
    let keys = Keys::of(file)?;
    let kind = known::kind(needed("model", keys.text("model")?)?)?;
    let tokens = Tokens::of(&keys)?;
    match kind {
        Kind::WordPiece => Tokenizer::from_bytes(words::json(&keys, &tokens)?.to_string().as_bytes()),
        Kind::ByteLevelBpe => Tokenizer::from_bytes(merges::json(&keys, &tokens)?.to_string().as_bytes()),
        _ => Ok(Tokenizer::of(pieces::pieces(&keys, &tokens, kind)?)),
    }
}

/// The tokens of a file; the place of each is its id.
struct Tokens<'a> {
    texts: Vec<&'a str>,
    ids: HashMap<&'a str, u32>,
    /// What each is for; all are ordinary where a file does not say.
    roles: Vec<Role>,
}

impl<'a> Tokens<'a> {
    fn of(keys: &Keys<'a>) -> Result<Self, Error> {
        let texts = needed("tokens", keys.texts("tokens")?)?;
        let mut ids = HashMap::with_capacity(texts.len());
        for (text, id) in texts.iter().zip(0_u32..) {
            let wrong = |message: String| Err(fault(&format!("tokens[{id}]"), message));
            if text.is_empty() {
                return wrong("it is empty".to_string());
            }
            if let Some(first) = ids.insert(*text, id) {
                return wrong(format!("`{text}` again, after {first}"));
            }
        }
        let roles = match keys.numbers("token_type")? {
            None => vec![Role::Normal; texts.len()],
            Some(numbers) => roles(&numbers, texts.len())?,
        };
        Ok(Self { texts, ids, roles })
    }

    /// The text of an id that was held against the tokens.
    fn named(&self, id: u32) -> (String, u32) {
        (self.texts[id as usize].to_string(), id)
    }

    /// Tokens that stand outside the model's splitting, as a `tokenizer.json` lists them; those of `ids` are special.
    fn added(&self, ids: &[u32]) -> Vec<Value> {
        let all = self.texts.iter().zip(&self.roles).zip(0_u32..);
        let added = all.filter_map(|((text, role), id)| {
            let special = *role == Role::Control || ids.contains(&id);
            (special || *role == Role::UserDefined).then(|| {
                let mut token = entry(id, text, None);
                token["special"] = json!(special);
                token
            })
        });
        added.collect()
    }
}

fn roles(numbers: &[f64], count: usize) -> Result<Vec<Role>, Error> {
    if numbers.len() != count {
        return Err(fault("token_type", format!("{} types for {count} tokens", numbers.len())));
    }
    let role = |(number, at): (&f64, usize)| {
        let role = (number.fract() == 0.0 && *number >= 0.0).then(|| Role::numbered(*number as u64)).flatten();
        role.ok_or_else(|| fault(&format!("token_type[{at}]"), format!("there is no type {number}")))
    };
    numbers.iter().zip(0..).map(role).collect()
}

/// The tokens before and after a text: those of the keys, where the file's switch for it, or else the default, is on. A switch
/// that is on needs its token.
fn around(keys: &Keys, tokens: &Tokens, defaults: [bool; 2]) -> Result<[Option<(String, u32)>; 2], Error> {
    let end = |flag: &str, id: &str, default: bool| {
        let (flag, found) = (keys.flag(flag)?, keys.id(id, tokens.texts.len())?);
        match flag {
            Some(true) => needed(id, found).map(Some),
            Some(false) => Ok(None),
            None => Ok(found.filter(|_| default)),
        }
    };
    let before = end("add_bos_token", "bos_token_id", defaults[0])?;
    let after = end("add_eos_token", "eos_token_id", defaults[1])?;
    Ok([before, after].map(|id| id.map(|id| tokens.named(id))))
}
