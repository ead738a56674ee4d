//! Calls into the `tokenizers` crate: its errors and its panics become errors of this crate.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Error;

/// Runs a call; `what` says what it does, for the message.
pub(crate) fn run<T>(what: &str, call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, Error> {
    // Nothing that the call leaves half done is used again: its owner is dropped, or only reads.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::bad(format!("{what} failed: {error}"))),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied();
            let text = text
                .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
                .unwrap_or("the tokenizer is inconsistent");
            Err(Error::bad(format!("{what} failed: {text}")))
        }
    }
}
