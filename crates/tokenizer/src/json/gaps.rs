//! Characters that a model would leave out without a word.

use serde_json::Value;
use tokenizers::{Model as _, ModelWrapper};

use super::Json;
use crate::{Error, Kind, guard};

/// Whether a model may leave characters out: merges, and neither an unknown token nor a token for each byte.
pub(super) fn possible(model: &Value, kind: Kind, inner: &tokenizers::Tokenizer) -> bool {
    let has = |token: &str| inner.get_model().token_to_id(token).is_some();
    match kind {
        Kind::Bpe => {
            let bytes = model["byte_fallback"] == true && (0..=255u8).all(|byte| has(&format!("<0x{byte:02X}>")));
            model["unk_token"].is_null() && !bytes
        }
        Kind::ByteLevelBpe => {
            let alphabet = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
            model["unk_token"].is_null() && !alphabet.into_iter().all(|c| has(c.encode_utf8(&mut [0; 4])))
        }
        Kind::WordPiece | Kind::Unigram | Kind::WordLevel => false,
    }
}

/// Fails if a character of the text has no token.
pub(super) fn none(json: &Json, text: &str) -> Result<(), Error> {
    let ModelWrapper::BPE(model) = json.inner.get_model() else {
        return Ok(());
    };
    for split in json.splits(text)?.iter().filter(|split| split.added.is_none()) {
        let tokens = guard::run("encoding", || model.tokenize(&split.text))?;
        if tokens.last().map_or(0, |token| token.offsets.1) != split.text.len() {
            let prefix = model.continuing_subword_prefix.as_deref().unwrap_or_default();
            let suffix = model.end_of_word_suffix.as_deref().unwrap_or_default();
            let last = split.text.chars().count().saturating_sub(1);
            let token = |(at, c): (usize, char)| {
                let (before, after) = (if at > 0 { prefix } else { "" }, if at == last { suffix } else { "" });
                format!("{before}{c}{after}")
            };
            let missing = split.text.chars().enumerate().find(|it| model.token_to_id(&token(*it)).is_none());
            let missing = missing.map(|(_, c)| format!("`{c}` (U+{:04X})", c as u32)).unwrap_or_default();
            let near = text.get(split.place.clone()).unwrap_or(&split.text);
            return Err(Error::no_token(format!(
                "{missing} in {near:?} has no token, and the vocabulary has no unknown token"
            )));
        }
    }
    Ok(())
}
