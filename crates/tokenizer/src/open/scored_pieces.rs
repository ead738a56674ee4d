//! SentencePiece's `.model` files.

use std::path::Path;

use super::settings::Settings;
use super::{bytes, folder_of};
use crate::engine::Added;
use crate::pieces::{ModelFile, Pieces};
use crate::{Error, Tokenizer};

/// Reads a file and the settings beside it. Without settings nothing is put around a text.
pub(super) fn read(path: &Path) -> Result<Tokenizer, Error> {
    let settings = Settings::of(&folder_of(path))?;
    made(&bytes(path)?, &settings).map_err(|error| error.in_file(path))
}

fn made(bytes: &[u8], settings: &Settings) -> Result<Tokenizer, Error> {
    let file = ModelFile::parse(bytes)?;
    let id = |token: &str| (0..).zip(&file.pieces).find(|(_, piece)| piece.text == token).map(|(id, _)| id);
    let mut added = Vec::new();
    for token in settings.added(|_| None)? {
        let (Some(given), Some(content)) = (token["id"].as_u64(), token["content"].as_str()) else { continue };
        let given = u32::try_from(given).map_err(|_| Error::at("added_tokens_decoder", "an id is too large"))?;
        let piece = file.pieces.get(given as usize);
        let clash = piece.is_some_and(|piece| piece.text != content) || id(content).is_some_and(|id| id != given);
        if clash {
            let message = format!("`{content}` and the model's pieces disagree about the id {given}");
            return Err(Error::at(&format!("added_tokens_decoder.{given}"), message));
        }
        added.push(Added { id: given, content: content.to_string(), special: token["special"] == true });
    }
    let around = [settings.flag("add_bos_token")?.unwrap_or(false), settings.flag("add_eos_token")?.unwrap_or(false)];
    Ok(Tokenizer::of(Pieces::new(file, added, around)?))
}
