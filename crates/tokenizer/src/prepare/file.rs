//! Writing a file of rows.

use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use formwork_format::WholeFile;

use super::Part;
use super::corpus::Header;
use crate::Error;

/// A set that is being written.
pub(super) struct RowFile {
    place: PathBuf,
    file: WholeFile,
    header: Header,
    documents: u64,
    ids: u64,
}

impl RowFile {
    /// Rows of `length` ids below `limit`.
    pub(super) fn create(place: &Path, length: usize, limit: usize) -> Result<Self, Error> {
        let width = if limit <= 1 << 16 { 2 } else { 4 };
        let header = Header { width, length: length as u64, rows: 0, limit: limit as u64 };
        let open = || -> io::Result<WholeFile> {
            let mut file = WholeFile::create(place)?;
            file.write_all(&header.bytes())?;
            Ok(file)
        };
        let file = open().map_err(|error| Error::io(place, &error))?;
        Ok(Self { place: place.to_path_buf(), file, header, documents: 0, ids: 0 })
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

    /// Cuts the last row off if it is not whole.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.save().map_err(|error| Error::io(&self.place, &error))
    }

    /// Puts the finished file in its place.
    pub(super) fn publish(self) -> Result<(), Error> {
        self.file.publish().map_err(|error| Error::io(&self.place, &error))
    }

    fn save(&mut self) -> io::Result<()> {
        let header = Header { rows: self.ids / self.header.length, ..self.header };
        self.file.flush()?;
        let length = header.bytes().len() as u64 + header.rows * header.length * header.width as u64;
        self.file.file().get_ref().set_len(length)?;
        self.file.file().seek(SeekFrom::Start(0))?;
        self.file.write_all(&header.bytes())
    }
}
