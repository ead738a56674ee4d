//! Errors: what went wrong with the user's data, under a stable code.

use std::fmt;

pub use crate::codes::CODES;

/// A result whose error is an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with a stable code. Prints as `error[code]: message`, then a line of help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// A kebab-case code of [`CODES`].
    pub code: &'static str,
    /// What went wrong, without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The exit status of a program that ends with it.
    pub exit: u8,
}

impl Error {
    /// Wrong inputs or weights: exit status 1.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, exit: 1 }
    }

    /// A wrong command line or setting: exit status 2.
    pub fn usage(code: &'static str, message: impl Into<String>) -> Self {
        Self { exit: 2, ..Self::new(code, message) }
    }

    /// A result that differs from its reference: exit status 3.
    pub fn verification(code: &'static str, message: impl Into<String>) -> Self {
        Self { exit: 3, ..Self::new(code, message) }
    }

    /// A file that cannot be read or written: exit status 4.
    pub fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self { exit: 4, ..Self::new("io", format!("{}: {error}", path.display())) }
    }

    /// Adds what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)?;
        match &self.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::{CODES, Error};

    #[test]
    fn errors_print_their_code_and_help() {
        let error = Error::new("io", "no such file").help("look again");
        assert_eq!(error.to_string(), "error[io]: no such file\nhelp: look again");
        assert!(CODES.is_sorted_by_key(|entry| entry.0), "codes are sorted and unique");
    }
}
