//! How a text becomes what a model continues.

use formwork_tokenizer::Tokenizer;
use serde_json::Value;

use crate::engine::Facts;
use crate::error::{Error, Result, told};
use crate::folder::Folder;

/// The token that a checkpoint's folder puts before a text.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    token: Option<u32>,
    /// Whether it is put before every text, or stands for an empty one alone.
    always: bool,
}

impl Start {
    /// As the folder says.
    ///
    /// # Errors
    /// As [`Folder::number`].
    pub fn of(folder: &Folder, tokenizer: &Tokenizer) -> Result<Self> {
        let settings = folder.json("tokenizer_config.json")?;
        let named = settings.get("bos_token").map(|token| token.get("content").unwrap_or(token));
        let token = match folder.number("bos_token_id")? {
            Some(id) => Some(id),
            None => named.and_then(Value::as_str).and_then(|token| tokenizer.id(token)),
        };
        Ok(Self { token, always: settings.get("add_bos_token") == Some(&Value::Bool(true)) })
    }

    /// The ids of a text as a model continues it, the start token included.
    ///
    /// # Errors
    /// `empty-input` for a text without ids; as [`Tokenizer::encode`].
    pub fn ids(self, text: &str, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        let mut ids = tokenizer.encode(text).map_err(told)?;
        match self.token {
            Some(token) if ids.is_empty() || (self.always && ids[0] != token) => ids.insert(0, token),
            _ => {}
        }
        match ids.is_empty() {
            true => Err(Error::new("empty-input", "the prompt is empty, and no config names a start token")),
            false => Ok(ids),
        }
    }
}

/// What stands before the new tokens of a model, and the room that it has for them.
#[derive(Debug)]
pub(crate) struct Prompts {
    pub(crate) start: Start,
    /// What an encoder-decoder's answers begin with.
    pub(crate) decoder: Option<Vec<u32>>,
    max_positions: Option<usize>,
}

impl Prompts {
    pub(crate) fn new(folder: &Folder, facts: &Facts, tokenizer: &Tokenizer) -> Result<Self> {
        let decoder = if facts.decodes() { Some(decoder_start(folder)?) } else { None };
        Ok(Self { start: Start::of(folder, tokenizer)?, decoder, max_positions: facts.max_positions })
    }

    /// The new tokens that there is room for after a prompt; `None`: as many as one likes. A prompt that leaves none is refused
    /// before anything is computed. An encoder reads it by itself.
    pub(crate) fn room(&self, prompt: usize) -> Result<Option<usize>> {
        let Some(max) = self.max_positions else { return Ok(None) };
        if prompt > max || (prompt == max && self.decoder.is_none()) {
            let message = format!("the prompt has {prompt} tokens; the model has room for {max}, new ones included");
            return Err(Error::new("context-too-long", message).help("shorten the prompt"));
        }
        Ok(Some(max - self.decoder.as_ref().map_or(prompt, Vec::len)))
    }
}

/// The ids that an encoder-decoder begins with: its start token, and what has to follow it.
fn decoder_start(folder: &Folder) -> Result<Vec<u32>> {
    let start = folder.number("decoder_start_token_id")?.ok_or_else(|| {
        let message = "no config gives the `decoder_start_token_id` that an encoder-decoder begins with";
        Error::new("no-start-token", message)
    })?;
    Ok([Some(start), folder.number("forced_bos_token_id")?].into_iter().flatten().collect())
}
