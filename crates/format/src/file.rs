//! Opening files: regular ones only, mapped or of a bounded size.
#![allow(unsafe_code, reason = "maps files")]

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::{Deref, Range};
use std::path::Path;

use memmap2::Mmap;
#[cfg(unix)]
use memmap2::UncheckedAdvice;

/// Why a file was not read.
#[derive(Debug)]
pub enum Fault {
    /// What the system says.
    Io(io::Error),
    /// It is a pipe, a device or a folder, which would block or never end.
    NotRegular,
    /// It has more bytes than this.
    TooLarge(u64),
    /// It has no bytes.
    Empty,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens a regular file for reading.
///
/// # Errors
/// [`Fault::NotRegular`]; [`Fault::Io`].
pub fn open(path: &Path) -> Result<File, Fault> {
    match path.metadata()?.is_file() {
        true => Ok(File::open(path)?),
        false => Err(Fault::NotRegular),
    }
}

/// The bytes of a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`open`]; [`Fault::TooLarge`].
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => Err(Fault::TooLarge(limit)),
        false => Ok(bytes),
    }
}

/// A file in memory, read as it is touched.
#[derive(Debug)]
pub struct Mapped(Mmap);

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Mapped {
    /// Takes these bytes out of this process's memory until they are read again; only a hint.
    pub fn release(&self, bytes: Range<usize>) {
        #[cfg(unix)]
        // SAFETY: what is read again comes from the file, which does not change meanwhile.
        let _ = unsafe { self.0.unchecked_advise_range(UncheckedAdvice::DontNeed, bytes.start, bytes.len()) };
        #[cfg(not(unix))]
        let _ = bytes;
    }
}

/// Maps a regular file that is not empty. It must not shrink while it is in use: the system would then end the process on the
/// next access.
///
/// # Errors
/// As [`open`]; [`Fault::Empty`].
pub fn map(path: &Path) -> Result<Mapped, Fault> {
    let file = open(path)?;
    if file.metadata()?.len() == 0 {
        return Err(Fault::Empty);
    }
    // SAFETY: a mapping is unsound only if the file changes meanwhile, which we document.
    Ok(Mapped(unsafe { Mmap::map(&file) }?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_refused() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(matches!(open(here), Err(Fault::NotRegular)));
        assert!(matches!(map(&here.join("absent")), Err(Fault::Io(_))));
        let manifest = here.join("Cargo.toml");
        assert!(matches!(read(&manifest, 8), Err(Fault::TooLarge(8))));
        assert_eq!(read(&manifest, 1 << 20).ok(), map(&manifest).ok().map(|mapped| mapped.to_vec()));
    }
}
