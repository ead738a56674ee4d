//! Ids to text, one by one.

use crate::{Error, Tokenizer};

/// What a decoder writes for bytes that are no character (yet).
const INCOMPLETE: char = '\u{FFFD}';
/// Ids of the prompt that are kept as context.
const CONTEXT: usize = 16;

/// A decoder for ids that come one by one.
///
/// A decoder may treat a token by what stands before it (a leading space, bytes of one character), so the text of an id
/// is what it adds to the text of a short window of ids before it.
#[derive(Debug)]
pub struct Stream<'t> {
    tokenizer: &'t Tokenizer,
    window: Vec<u32>,
    /// The window's ids whose text has been given out, and that text.
    given: usize,
    text: String,
}

impl<'t> Stream<'t> {
    pub(crate) fn new(tokenizer: &'t Tokenizer, prompt: &[u32]) -> Result<Self, Error> {
        let window = prompt[prompt.len().saturating_sub(CONTEXT)..].to_vec();
        let text = tokenizer.decode(&window)?;
        Ok(Self { tokenizer, given: window.len(), window, text })
    }

    /// The text that an id completes; empty where a character is still incomplete.
    ///
    /// # Errors
    /// If the decoder fails.
    pub fn push(&mut self, id: u32) -> Result<String, Error> {
        self.window.push(id);
        let text = self.tokenizer.decode(&self.window)?;
        if text.ends_with(INCOMPLETE) {
            return Ok(String::new());
        }
        let fresh = fresh(&self.text, &text);
        // Ids before those just given out have no more influence, unless these have no text of their own.
        let kept = &self.window[self.given..];
        let kept_text = self.tokenizer.decode(kept)?;
        (self.window, self.text) =
            if kept_text.is_empty() { (std::mem::take(&mut self.window), text) } else { (kept.to_vec(), kept_text) };
        self.given = self.window.len();
        Ok(fresh)
    }

    /// What is left at the end: bytes that never became a character.
    ///
    /// # Errors
    /// If the decoder fails.
    pub fn finish(self) -> Result<String, Error> {
        let text = self.tokenizer.decode(&self.window)?;
        Ok(fresh(&self.text, &text))
    }
}

/// What `now` adds to `before`.
fn fresh(before: &str, now: &str) -> String {
    match now.strip_prefix(before) {
        Some(rest) => rest.to_string(),
        None => now.chars().skip(before.chars().count()).collect(),
    }
}
