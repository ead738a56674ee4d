//! Single files on disk: written whole or not at all.

use std::io::{self, Write as _};
use std::path::Path;

use formwork_format::WholeFile;

use crate::problem::Problem;

/// Writes a text file.
pub(crate) fn file(path: &Path, text: &str) -> Result<(), Problem> {
    let save = || -> io::Result<()> {
        let mut file = WholeFile::create(path)?;
        file.write_all(text.as_bytes())?;
        file.publish()
    };
    save().map_err(|error| Problem::io(path, &error))
}
