//! GGUF files with other keys than they came with.

use std::path::Path;

use formwork_tokenizer::{Error, Tokenizer};

/// A value that a file can hold.
pub(crate) trait Put {
    /// The number of its type.
    fn kind(&self) -> u32;
    fn put(&self, out: &mut Vec<u8>);
}

pub(crate) struct Text<'a>(pub(crate) &'a str);

#[derive(Clone)]
pub(crate) struct Word(pub(crate) u32);

/// Values of one type, at least one.
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl Put for Text<'_> {
    fn kind(&self) -> u32 {
        8
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend((self.0.len() as u64).to_le_bytes());
        out.extend(self.0.as_bytes());
    }
}

impl Put for Word {
    fn kind(&self) -> u32 {
        4
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.0.to_le_bytes());
    }
}

impl Put for bool {
    fn kind(&self) -> u32 {
        7
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push((*self).into());
    }
}

impl Put for f32 {
    fn kind(&self) -> u32 {
        6
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }
}

impl<T: Put> Put for List<T> {
    fn kind(&self) -> u32 {
        9
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.0[0].kind().to_le_bytes());
        out.extend((self.0.len() as u64).to_le_bytes());
        self.0.iter().for_each(|item| item.put(out));
    }
}

/// A file of no tensors whose key `tokenizer.ggml.KEY` has another value.
pub(crate) fn with(path: &Path, key: &str, value: &dyn Put) -> Vec<u8> {
    let mut bytes = renamed(&std::fs::read(path).unwrap(), key);
    let keys = u64::from_le_bytes(bytes[16..24].try_into().unwrap()) + 1;
    bytes[16..24].copy_from_slice(&keys.to_le_bytes());
    let mut added = Vec::new();
    Text(&format!("tokenizer.ggml.{key}")).put(&mut added);
    added.extend(value.kind().to_le_bytes());
    value.put(&mut added);
    bytes.splice(24..24, added);
    bytes
}

/// The file with nothing under the key `tokenizer.ggml.KEY`.
pub(crate) fn renamed(bytes: &[u8], key: &str) -> Vec<u8> {
    let mut old = Vec::new();
    Text(&format!("tokenizer.ggml.{key}")).put(&mut old);
    let mut bytes = bytes.to_vec();
    if let Some(at) = bytes.windows(old.len()).position(|part| part == old) {
        bytes[at + 8..at + 9].copy_from_slice(b"T");
    }
    bytes
}

/// Writes the bytes to a file and reads the tokenizer there.
pub(crate) fn open(bytes: &[u8]) -> Result<Tokenizer, Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    Tokenizer::open(file.path())
}
