//! What goes wrong with tokenizers.

use std::fmt;
use std::path::Path;

use formwork_format::file::Fault;

/// A tokenizer that cannot be used, or a text that it cannot handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// `bad-tokenizer`, `no-token`, `bad-training`, `bad-corpus`, or `io`.
    pub code: &'static str,
    /// What is wrong, lowercase, without a full stop.
    pub message: String,
    /// The exit status of a program that ends with it.
    pub exit: u8,
}

impl Error {
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::of("bad-tokenizer", message)
    }

    /// A fault at a path inside a file, e.g. `model.merges[3]`.
    pub(crate) fn at(path: &str, message: impl fmt::Display) -> Self {
        Self::bad(format!("`{path}`: {message}"))
    }

    /// A text that the vocabulary cannot write.
    pub(crate) fn no_token(message: impl Into<String>) -> Self {
        Self::of("no-token", message)
    }

    /// Texts or options that nothing can be learnt from.
    pub(crate) fn training(message: impl Into<String>) -> Self {
        Self::of("bad-training", message)
    }

    /// Texts or files of ids that are no corpus.
    pub(crate) fn corpus(message: impl Into<String>) -> Self {
        Self::of("bad-corpus", message)
    }

    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self { code: "io", message: format!("`{}`: {error}", path.display()), exit: 4 }
    }

    /// Why a file was not read.
    pub(crate) fn unread(path: &Path, fault: &Fault) -> Self {
        let what = match fault {
            Fault::Io(error) => return Self::io(path, error),
            Fault::NotRegular => "not a regular file".to_string(),
            Fault::TooLarge(limit) => format!("more than {limit} bytes"),
            Fault::Empty => "empty".to_string(),
        };
        Self::bad(what).in_file(path)
    }

    fn of(code: &'static str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self { code, message: message.trim_end_matches('.').to_string(), exit: 1 }
    }

    /// Says which file is at fault.
    pub(crate) fn in_file(self, path: &Path) -> Self {
        Self { message: format!("`{}`: {}", path.display(), self.message), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}
