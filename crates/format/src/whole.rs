//! Files of our own, written whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file that is written beside its place, which it takes when it is whole. Until then, and after an error, what was there stays.
///
/// A file that is replaced leaves its permissions. Through a link, the file that it leads to is written. A device, a pipe or a
/// folder is not replaced.
#[derive(Debug)]
pub struct WholeFile {
    place: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
    is_whole: bool,
}

impl WholeFile {
    /// Begins a file.
    ///
    /// # Errors
    /// If there is something else than a file in its place, or none can be made beside it.
    pub fn create(place: &Path) -> io::Result<Self> {
        let place = fs::canonicalize(place).unwrap_or_else(|_| place.to_path_buf());
        let old = fs::metadata(&place).ok();
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            return Err(io::Error::other("only a regular file can be replaced"));
        }
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let temporary = place.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let file = File::options().write(true).create_new(true).open(&temporary)?;
        let whole = Self { place, temporary, file: BufWriter::with_capacity(1 << 20, file), is_whole: false };
        if let Some(old) = old {
            whole.file.get_ref().set_permissions(old.permissions())?;
        }
        Ok(whole)
    }

    /// The file as it is being written, e.g. to go back in it.
    pub fn file(&mut self) -> &mut BufWriter<File> {
        &mut self.file
    }

    /// Puts the file in its place, with every byte on the disk.
    ///
    /// # Errors
    /// If that fails; the place is as it was then.
    pub fn publish(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs::rename(&self.temporary, &self.place)?;
        self.is_whole = true;
        Ok(())
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if !self.is_whole {
            // The error that led here is what counts; a temporary file that cannot be removed does no harm.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_its_place_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a.txt");
        let write = |text: &str, publish: bool| {
            let mut file = WholeFile::create(&place).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            if publish {
                file.publish().unwrap();
            }
        };
        write("never", false);
        assert!(!place.exists());
        write("first", true);
        write("never", false);
        assert_eq!(fs::read_to_string(&place).unwrap(), "first");
        write("second", true);
        assert_eq!(fs::read_to_string(&place).unwrap(), "second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(WholeFile::create(folder.path()).is_err());
        assert!(WholeFile::create(&folder.path().join("no/such/folder")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (place, link) = (folder.path().join("a.txt"), folder.path().join("link"));
        fs::write(&place, "old").unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&place, &link).unwrap();
        let mut file = WholeFile::create(&link).unwrap();
        file.write_all(b"new").unwrap();
        file.publish().unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "new");
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
