//! What is wrong with files, as errors of this crate.

use std::path::Path;

use formwork_format::file::Fault;
use formwork_tensor::Error;

/// The same error, which names no file yet.
pub(crate) fn told(error: formwork_format::Error) -> Error {
    Error { help: error.help.map(String::from), ..Error::new(error.code, error.message) }
}

/// Why a file was not read; `code` is for one that should not be read.
pub(crate) fn unread(path: &Path, fault: &Fault, code: &'static str) -> Error {
    let name = path.display();
    match fault {
        Fault::Io(error) => Error::io(path, error),
        Fault::NotRegular => Error::new(code, format!("{name} is not a regular file")),
        Fault::TooLarge(limit) => Error::new(code, format!("{name} has more than {limit} bytes")),
        Fault::Empty => Error::new("truncated-safetensors", format!("{name} is empty")).help("download it again"),
    }
}
