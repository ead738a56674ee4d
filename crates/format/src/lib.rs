//! Files of strangers, read without trust: JSON in which no key stands twice, files that are mapped or bounded, and the keys
//! of GGUF files. And files of our own, which are written whole or not at all.

pub mod file;
pub mod gguf;
pub mod json;
mod whole;

use std::fmt;

pub use whole::WholeFile;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// A kebab-case code, e.g. `bad-gguf`.
    pub code: &'static str,
    /// What is wrong, without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<&'static str>,
}

impl Error {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None }
    }

    fn help(self, help: &'static str) -> Self {
        Self { help: Some(help), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
