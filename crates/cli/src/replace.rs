//! Single files on disk: written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use crate::problem::Problem;

/// Writes a file beside its place first, so that it is whole at every moment. One that is there keeps its permissions; through
/// a link, the file that it leads to is written; a device, a pipe or a folder is not replaced.
pub(crate) fn file(path: &Path, text: &str) -> Result<(), Problem> {
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let temporary = place.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let save = || -> io::Result<()> {
        let old = fs::metadata(&place).ok();
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            return Err(io::Error::other("only a regular file can be replaced"));
        }
        let mut file = File::options().write(true).create_new(true).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        if let Some(old) = old {
            file.set_permissions(old.permissions())?;
        }
        fs::rename(&temporary, &place)
    };
    save().map_err(|error| {
        // The first error is what counts; a temporary file that cannot be removed does no harm.
        let _ = fs::remove_file(&temporary);
        Problem::io(path, &error)
    })
}
