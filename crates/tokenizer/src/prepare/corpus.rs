//! The file of rows: its header, and reading it.
//!
//! | bytes | what |
//! |---|---|
//! | 0 to 7 | `FWTOKENS` |
//! | 8 to 11 | version, 1 |
//! | 12 to 15 | bytes of an id, 2 or 4 |
//! | 16 to 23 | ids of a row |
//! | 24 to 31 | rows |
//! | 32 to 39 | one more than the greatest id of the tokenizer |
//! | 40 to 63 | zeros |
//! | 64 on | the ids, row by row |
//!
//! Every number is an unsigned little-endian integer.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::Error;

/// Bytes before the first id: a cache line, so that mapped rows are aligned.
pub(super) const HEADER: usize = 64;
const MAGIC: &[u8; 8] = b"FWTOKENS";
const VERSION: u32 = 1;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) width: usize,
    pub(super) length: u64,
    pub(super) rows: u64,
    pub(super) limit: u64,
}

impl Header {
    pub(super) fn bytes(self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[12..16].copy_from_slice(&(self.width as u32).to_le_bytes());
        for (at, number) in [(16, self.length), (24, self.rows), (32, self.limit)] {
            out[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        out
    }

    fn read(bytes: &[u8; HEADER], size: u64) -> Result<Self, String> {
        let number = |at: usize, len: usize| {
            bytes[at..at + len].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        };
        if &bytes[..8] != MAGIC {
            return Err("it does not begin with `FWTOKENS`".into());
        }
        if number(8, 4) != u64::from(VERSION) {
            return Err(format!("it has version {}, not {VERSION}", number(8, 4)));
        }
        let (width, length, rows) = (number(12, 4), number(16, 8), number(24, 8));
        if !matches!(width, 2 | 4) || length == 0 {
            return Err(format!("its ids take {width} bytes and its rows have {length} ids"));
        }
        let due = length.checked_mul(rows).and_then(|ids| ids.checked_mul(width)?.checked_add(HEADER as u64));
        if due != Some(size) {
            return Err(format!("it has {size} bytes, which are not those of {rows} rows of {length} ids"));
        }
        Ok(Self { width: width as usize, length, rows, limit: number(32, 8) })
    }
}

/// A prepared set.
#[derive(Debug)]
pub struct Corpus {
    path: PathBuf,
    file: File,
    header: Header,
}

impl Corpus {
    /// Opens a file that [`Preparation::run`](super::Preparation::run) wrote.
    ///
    /// # Errors
    /// `bad-corpus` if it is none or has another size than its header says, `io`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let io = |error| Error::io(path, &error);
        let mut file = File::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        let mut bytes = [0; HEADER];
        if size < HEADER as u64 {
            return Err(Error::corpus("it is shorter than a header").in_file(path));
        }
        file.read_exact(&mut bytes).map_err(io)?;
        let header = Header::read(&bytes, size).map_err(|what| Error::corpus(what).in_file(path))?;
        Ok(Self { path: path.to_path_buf(), file, header })
    }

    /// The number of rows.
    pub fn rows(&self) -> u64 {
        self.header.rows
    }

    /// Ids of a row.
    pub fn length(&self) -> u64 {
        self.header.length
    }

    /// One more than the greatest id of the tokenizer.
    pub fn id_limit(&self) -> u64 {
        self.header.limit
    }

    /// The ids of a row.
    ///
    /// # Errors
    /// `bad-corpus` if there is no such row or one of its ids is none of the tokenizer's, `io`.
    pub fn row(&mut self, row: u64) -> Result<Vec<u32>, Error> {
        if row >= self.header.rows {
            let message = format!("there is no row {row}; it has {}", self.header.rows);
            return Err(Error::corpus(message).in_file(&self.path));
        }
        let width = self.header.width;
        let mut bytes = vec![0; self.header.length as usize * width];
        let place = HEADER as u64 + row * bytes.len() as u64;
        let read = self.file.seek(SeekFrom::Start(place)).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|error| Error::io(&self.path, &error))?;
        let id = |bytes: &[u8]| bytes.iter().rev().fold(0, |id, byte| id << 8 | u32::from(*byte));
        let ids: Vec<u32> = bytes.chunks_exact(width).map(id).collect();
        match ids.iter().find(|id| u64::from(**id) >= self.header.limit) {
            None => Ok(ids),
            Some(id) => {
                let message = format!("row {row} holds {id}, which is no id below {}", self.header.limit);
                Err(Error::corpus(message).in_file(&self.path))
            }
        }
    }
}
