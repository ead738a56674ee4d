//! What goes wrong with tokenizers.

use std::fmt;

/// A tokenizer that cannot be used, or a text that it cannot handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// `bad-tokenizer`, or `io`.
    pub code: &'static str,
    /// What is wrong, lowercase, without a full stop.
    pub message: String,
    /// The exit status of a program that ends with it.
    pub exit: u8,
}

impl Error {
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self { code: "bad-tokenizer", message: message.trim_end_matches('.').to_string(), exit: 1 }
    }

    pub(crate) fn io(message: String) -> Self {
        Self { code: "io", message, exit: 4 }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}
