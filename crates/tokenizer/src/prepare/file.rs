//! Writing a file of rows: beside its place, which it takes when it is whole.

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::Part;
use super::corpus::Header;
use crate::Error;

/// A set that is being written.
pub(super) struct RowFile {
    place: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
    header: Header,
    documents: u64,
    ids: u64,
    is_whole: bool,
}

impl RowFile {
    /// Rows of `length` ids below `limit`.
    pub(super) fn create(place: &Path, length: usize, limit: usize) -> Result<Self, Error> {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let temporary = place.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let width = if limit <= 1 << 16 { 2 } else { 4 };
        let header = Header { width, length: length as u64, rows: 0, limit: limit as u64 };
        let open = || {
            let mut file =
                BufWriter::with_capacity(1 << 20, File::options().write(true).create_new(true).open(&temporary)?);
            file.write_all(&header.bytes())?;
            Ok(file)
        };
        let file = open().map_err(|error: io::Error| Error::io(place, &error))?;
        Ok(Self { place: place.to_path_buf(), temporary, file, header, documents: 0, ids: 0, is_whole: false })
    }

    /// Appends a document and what separates it from the next.
    pub(super) fn push(&mut self, ids: &[u32], separator: u32) -> Result<(), Error> {
        self.documents += 1;
        self.ids += ids.len() as u64 + 1;
        for id in ids.iter().chain([&separator]) {
            let bytes = id.to_le_bytes();
            self.file.write_all(&bytes[..self.header.width]).map_err(|error| Error::io(&self.place, &error))?;
        }
        Ok(())
    }

    /// What it holds; a set without a row is an error.
    pub(super) fn part(&self, name: &str) -> Result<Part, Error> {
        let length = self.header.length;
        if self.ids < length {
            let message = format!("the {name} set has {} ids, fewer than the {length} of a row", self.ids);
            return Err(Error::corpus(message));
        }
        Ok(Part { documents: self.documents, rows: self.ids / length, rest: (self.ids % length) as usize })
    }

    /// Cuts the last row off if it is not whole, and makes sure that every byte is on the disk.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.save().map_err(|error| Error::io(&self.place, &error))
    }

    /// Puts the finished file in its place.
    pub(super) fn publish(mut self) -> Result<(), Error> {
        std::fs::rename(&self.temporary, &self.place).map_err(|error| Error::io(&self.place, &error))?;
        self.is_whole = true;
        Ok(())
    }

    fn save(&mut self) -> io::Result<()> {
        let header = Header { rows: self.ids / self.header.length, ..self.header };
        self.file.flush()?;
        let file = self.file.get_mut();
        file.set_len(header.bytes().len() as u64 + header.rows * header.length * header.width as u64)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header.bytes())?;
        file.sync_all()
    }
}

impl Drop for RowFile {
    fn drop(&mut self) {
        if !self.is_whole {
            // The error that led here is what counts.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}
