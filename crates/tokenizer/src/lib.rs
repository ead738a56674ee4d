//! Text to token ids and back.
//!
//! A `tokenizer.json` is checked before it is handed to the `tokenizers` crate, and a panic there becomes an [`Error`]:
//! a broken file never ends the process. [`Stream`] turns ids into text as they come, never splitting a character.

mod check;
mod error;
mod guard;
mod kind;
mod stream;

use std::path::Path;

pub use error::Error;
pub use kind::Kind;
pub use stream::Stream;

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// A tokenizer. Padding that its file asks for is not applied.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    kind: Kind,
    /// Distinct tokens, and one more than the greatest id.
    vocab: (usize, usize),
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// If the file cannot be read, or is no tokenizer that works.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let io = |error: std::io::Error| Error::io(format!("`{}`: {error}", path.display()));
        let meta = std::fs::metadata(path).map_err(io)?;
        if meta.len() > MAX_FILE_BYTES {
            return Err(Error::bad(format!(
                "`{}` has {} bytes; {MAX_FILE_BYTES} are allowed",
                path.display(),
                meta.len()
            )));
        }
        let bytes = std::fs::read(path).map_err(io)?;
        Self::from_bytes(&bytes)
            .map_err(|error| Error { message: format!("`{}`: {}", path.display(), error.message), ..error })
    }

    /// Reads the content of a `tokenizer.json`.
    ///
    /// # Errors
    /// If it is no tokenizer that works.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let json: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| Error::bad(format!("not JSON: {error}")))?;
        check::tokenizer(&json)?;
        let mut inner = guard::run("loading", || tokenizers::Tokenizer::from_bytes(bytes))?;
        inner.with_padding(None);
        let tokens = inner.get_vocab(true);
        let vocab = (tokens.len(), tokens.values().max().map_or(0, |id| *id as usize + 1));
        Ok(Self { kind: Kind::of(&json), inner, vocab })
    }

    /// How it splits words.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Distinct tokens, those added to the model's own included.
    pub fn vocab_size(&self) -> usize {
        self.vocab.0
    }

    /// One more than the greatest id: the least number of rows of an embedding that serves every token.
    pub fn id_limit(&self) -> usize {
        self.vocab.1
    }

    /// Cuts every text to `limit` ids, special tokens included; `None` cuts nothing.
    ///
    /// # Errors
    /// If the special tokens alone need more.
    pub fn truncate(&mut self, limit: Option<usize>) -> Result<(), Error> {
        let needed = self.special_tokens_per_text();
        if let Some(limit) = limit.filter(|limit| *limit <= needed) {
            return Err(Error::bad(format!("a limit of {limit} ids leaves no room beside {needed} special tokens")));
        }
        let params =
            limit.map(|max_length| tokenizers::TruncationParams { max_length, stride: 0, ..Default::default() });
        guard::run("setting the truncation", || self.inner.with_truncation(params).map(|_| ()))
    }

    /// The most ids of a text, as set by the file or by [`Tokenizer::truncate`].
    pub fn limit(&self) -> Option<usize> {
        self.inner.get_truncation().map(|params| params.max_length)
    }

    /// The ids of a text, with the special tokens that the model expects around it.
    ///
    /// # Errors
    /// If the text cannot be written in this vocabulary.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let encoding = guard::run("encoding", || self.inner.encode(text, true))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of ids, special tokens left out.
    ///
    /// # Errors
    /// If the decoder fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String, Error> {
        guard::run("decoding", || self.inner.decode(ids, true))
    }

    /// The id of a token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// A decoder for ids that come one by one after `prompt`.
    ///
    /// # Errors
    /// If the prompt cannot be decoded.
    pub fn stream(&self, prompt: &[u32]) -> Result<Stream<'_>, Error> {
        Stream::new(self, prompt)
    }

    fn special_tokens_per_text(&self) -> usize {
        use tokenizers::PostProcessor as _;
        self.inner.get_post_processor().map_or(0, |it| it.added_tokens(false))
    }
}
