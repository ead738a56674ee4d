//! Documents of files, in order, in bounded memory.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Documents;
use crate::Error;

/// The largest document.
const MAX_DOCUMENT: u64 = 64 << 20;

/// One line of a corpus in JSON.
#[derive(Deserialize)]
struct Line {
    text: String,
}

/// Reads documents one after the other.
pub(super) struct Reader<'a> {
    files: std::slice::Iter<'a, PathBuf>,
    open: Option<(&'a Path, usize, BufReader<File>)>,
    kind: Documents,
    done: u64,
    total: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(files: &'a [PathBuf], kind: Documents) -> Result<Self, Error> {
        let size = |path: &PathBuf| match std::fs::metadata(path) {
            Ok(it) if it.is_file() => Ok(it.len()),
            Ok(_) => Err(Error::corpus("it is no regular file").in_file(path)),
            Err(error) => Err(Error::io(path, &error)),
        };
        let total = files.iter().map(size).sum::<Result<u64, _>>()?;
        Ok(Self { files: files.iter(), open: None, kind, done: 0, total })
    }

    /// Bytes that were read.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// Bytes of all files.
    pub(super) fn total(&self) -> u64 {
        self.total.max(self.done)
    }

    /// Documents of about so many bytes; none at the end.
    pub(super) fn batch(&mut self, bytes: usize) -> Result<Vec<String>, Error> {
        let (mut batch, mut size) = (Vec::new(), 0);
        while size < bytes {
            let Some(document) = self.next()? else { break };
            size += document.len();
            batch.push(document);
        }
        Ok(batch)
    }

    /// The next document that is not empty.
    fn next(&mut self) -> Result<Option<String>, Error> {
        loop {
            let Some((path, lines, file)) = &mut self.open else {
                let Some(path) = self.files.next() else { return Ok(None) };
                let file = File::open(path).map_err(|error| Error::io(path, &error))?;
                self.open = Some((path, 0, BufReader::new(file)));
                continue;
            };
            let (path, mut bytes) = (*path, Vec::new());
            let whole = self.kind == Documents::Files;
            let mut bounded = file.take(MAX_DOCUMENT + 1);
            let read = if whole { bounded.read_to_end(&mut bytes) } else { bounded.read_until(b'\n', &mut bytes) };
            let read = read.map_err(|error| Error::io(path, &error))? as u64;
            *lines += 1;
            self.done += read;
            let at = if whole { String::new() } else { format!("line {lines}: ") };
            let fault = |what: &str| Error::corpus(format!("{at}{what}")).in_file(path);
            if read > MAX_DOCUMENT {
                return Err(fault("a document of more than 64 MiB; take lines as documents"));
            }
            let mut text = String::from_utf8(bytes).map_err(|_| fault("the text is not UTF-8"))?;
            if read == 0 || whole {
                self.open = None;
            }
            if !whole {
                let line = text.strip_suffix('\n').unwrap_or(&text);
                text.truncate(line.strip_suffix('\r').unwrap_or(line).len());
            }
            if self.kind == Documents::JsonLines && !text.trim().is_empty() {
                text = serde_json::from_str::<Line>(&text).map_err(|error| fault(&error.to_string()))?.text;
            }
            if !text.is_empty() {
                return Ok(Some(text));
            }
        }
    }
}
