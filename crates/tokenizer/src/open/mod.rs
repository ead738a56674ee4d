//! Finding a tokenizer's files and telling their formats apart.

mod scored_pieces;
pub(crate) mod settings;
mod word_list;
mod word_merges;
pub(crate) mod word_pieces;

use std::path::{Path, PathBuf};

use formwork_format::{file, gguf};

use crate::{Error, Tokenizer};

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// The files that hold a tokenizer, the one that decides first.
const NAMES: [&str; 6] =
    ["tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "vocab.txt"];

impl Tokenizer {
    /// Reads a tokenizer: a `tokenizer.json`, a GGUF file, a SentencePiece `.model`, a `vocab.json` with its `merges.txt`, a
    /// `vocab.txt`, or a folder that holds one of them, but for a GGUF file.
    ///
    /// Settings beside the last three are taken from `tokenizer_config.json` and `special_tokens_map.json`.
    ///
    /// # Errors
    /// If a file cannot be read, or is no tokenizer that works.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let path = &in_folder(path)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match name.as_str() {
            _ if gguf::is_at(path) => crate::gguf::read(path),
            "vocab.json" | "merges.txt" => word_merges::read(&folder_of(path)),
            name if name.ends_with(".txt") => word_list::read(path),
            name if name.ends_with(".model") => scored_pieces::read(path),
            _ => Self::from_bytes(&bytes(path)?).map_err(|error| error.in_file(path)),
        }
    }

    /// The tokenizer of a checkpoint: the one in its folder, as [`Tokenizer::open`] finds it, else the vocabulary of the GGUF file
    /// that `weights` is.
    ///
    /// # Errors
    /// If there is none, or the one that there is does not work.
    pub fn of_weights(weights: &Path) -> Result<Self, Error> {
        if !weights.exists() {
            let message = format!("there is no file or folder `{}`", weights.display());
            return Err(Error { code: "io", message, exit: 4 });
        }
        let folder = if weights.is_dir() { weights.to_path_buf() } else { folder_of(weights) };
        match NAMES.iter().any(|name| folder.join(name).is_file()) || !gguf::is_at(weights) {
            true => Self::open(&folder),
            false => Self::open(weights),
        }
    }
}

/// The file itself, or the one in a folder.
fn in_folder(path: &Path) -> Result<PathBuf, Error> {
    if !path.is_dir() {
        return Ok(path.to_path_buf());
    }
    let found = NAMES.iter().map(|name| path.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| Error {
        code: "io",
        message: format!("`{}` holds no tokenizer: none of {}", path.display(), NAMES.join(", ")),
        exit: 4,
    })
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// The content of a file of a sensible size.
fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    file::read(path, MAX_FILE_BYTES).map_err(|fault| Error::unread(path, &fault))
}

/// The content of a text file, without a mark of its byte order.
fn text(path: &Path) -> Result<String, Error> {
    let bytes = bytes(path)?;
    let text = String::from_utf8(bytes)
        .map_err(|error| Error::bad(format!("byte {} is not UTF-8", error.utf8_error().valid_up_to())).in_file(path))?;
    Ok(text.strip_prefix('\u{FEFF}').map(String::from).unwrap_or(text))
}
