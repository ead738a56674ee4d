//! WordPiece. A file marks the beginnings of words, where the published vocabularies mark what goes on inside them.

use serde_json::{Map, Value, json};

use super::Tokens;
use super::keys::{Keys, fault, needed};
use crate::Error;
use crate::open::word_pieces::WordPieces;
use crate::pieces::{Role, SPACE};

/// The vocabulary as a `tokenizer.json`.
pub(super) fn json(keys: &Keys, tokens: &Tokens) -> Result<Value, Error> {
    let id = |key: &str| keys.id(key, tokens.texts.len());
    let first = id("bos_token_id")?.map_or_else(|| id("cls_token_id"), |id| Ok(Some(id)))?;
    let first = needed("cls_token_id", first)?;
    let (last, unknown) = (
        needed("seperator_token_id", id("seperator_token_id")?)?,
        needed("unknown_token_id", id("unknown_token_id")?)?,
    );
    let special: Vec<u32> = [Some(first), Some(last), Some(unknown), id("padding_token_id")?, id("mask_token_id")?]
        .into_iter()
        .flatten()
        .collect();
    let lowercase = keys.flag("normalizer.lowercase")?.unwrap_or(true);
    let mut vocab = Map::new();
    for ((text, role), id) in tokens.texts.iter().zip(&tokens.roles).zip(0_u32..) {
        let bracketed = text.starts_with('[') && text.ends_with(']');
        let text = match text.strip_prefix(SPACE).filter(|word| !word.is_empty()) {
            _ if bracketed || *role != Role::Normal || special.contains(&id) => text.to_string(),
            Some(word) => word.to_string(),
            None => format!("##{text}"),
        };
        if let Some(first) = vocab.insert(text.clone(), json!(id)) {
            return Err(fault(&format!("tokens[{id}]"), format!("`{text}` again, after {first}")));
        }
    }
    Ok(WordPieces {
        vocab,
        added: tokens.added(&special),
        unknown: tokens.texts[unknown as usize],
        around: [tokens.named(first), tokens.named(last)],
        lowercase,
        strip_accents: Some(keys.flag("normalizer.strip_accents")?.unwrap_or(lowercase)),
        space_cjk: true,
    }
    .json())
}
