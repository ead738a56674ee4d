//! A memory-mapped safetensors file.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use formwork_format::file;
use formwork_tensor::{DType, Error, Owner, Param, Result};

use super::foreign::unread;
use super::header::{self, Entry, Header};
use super::piece::Piece;

struct Mapped(file::Mapped);

impl Owner for Mapped {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn is_file(&self) -> bool {
        true
    }

    fn release(&self, bytes: Range<usize>) {
        self.0.release(bytes);
    }
}

/// An open file, its header checked.
pub struct SafeTensors {
    path: PathBuf,
    data: Arc<dyn Owner>,
    entries: HashMap<String, Entry>,
    metadata: HashMap<String, String>,
}

/// A file of named tensors, its contents checked.
pub(crate) trait TensorFile {
    /// Where it is.
    fn path(&self) -> &Path;
    /// The names of all tensors, in no order.
    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_>;
    /// The stored type and the shape of a tensor.
    fn describe(&self, name: &str) -> Option<(&str, &[usize])>;
    /// A tensor of numbers; none for types that are not read.
    fn piece(&self, name: &str) -> Option<Piece>;
}

impl TensorFile for SafeTensors {
    fn path(&self) -> &Path {
        self.path()
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.names())
    }

    fn describe(&self, name: &str) -> Option<(&str, &[usize])> {
        self.describe(name)
    }

    fn piece(&self, name: &str) -> Option<Piece> {
        self.param(name).map(Piece::from)
    }
}

impl SafeTensors {
    /// Maps and checks a file. The file must not shrink while it is in use: the system would then
    /// end the process on the next access.
    pub fn open(path: &Path) -> Result<Self> {
        let data = map(path)?;
        if let Some(error) = sniff(data.bytes()) {
            return Err(named(path, error));
        }
        let Header { entries, metadata } = header::parse(data.bytes()).map_err(|error| named(path, error))?;
        let entries = entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        Ok(Self { path: path.to_path_buf(), data, entries, metadata })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all tensors, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The dtype and shape of a tensor.
    pub fn describe(&self, name: &str) -> Option<(&str, &[usize])> {
        self.entries.get(name).map(|entry| (&entry.dtype[..], &entry.dims[..]))
    }

    /// What the file says of itself under a key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// All bytes of the file.
    pub(crate) fn owner(&self) -> Arc<dyn Owner> {
        Arc::clone(&self.data)
    }

    /// Where a tensor's bytes stand in the file.
    pub(crate) fn range(&self, name: &str) -> Option<Range<usize>> {
        self.entries.get(name).map(|entry| entry.bytes.clone())
    }

    /// The bytes of a tensor.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.entries.get(name).map(|entry| &self.data.bytes()[entry.bytes.clone()])
    }

    /// A tensor of floats of up to four axes; mapped where type and alignment allow.
    pub fn param(&self, name: &str) -> Option<Param> {
        let Entry { dtype, dims, bytes, .. } = self.entries.get(name)?;
        if dims.len() > 4 {
            return None;
        }
        let dtype = match dtype.as_str() {
            "F32" => DType::F32,
            "BF16" => DType::Bf16,
            "F16" => DType::F16,
            "F64" => {
                let (doubles, _) = self.data.bytes()[bytes.clone()].as_chunks();
                let floats: Vec<f32> = doubles.iter().map(|x| f64::from_le_bytes(*x) as f32).collect();
                return Some(Param::from_f32(dims, &floats));
            }
            _ => return None,
        };
        Some(Param::new(dims, dtype, Arc::clone(&self.data), bytes.clone()))
    }

    /// A tensor of integers.
    pub fn integers(&self, name: &str) -> Option<Vec<i64>> {
        let bytes = self.bytes(name)?;
        match self.describe(name)?.0 {
            "I64" => Some(bytes.as_chunks().0.iter().map(|x| i64::from_le_bytes(*x)).collect()),
            "I32" => Some(bytes.as_chunks().0.iter().map(|x| i32::from_le_bytes(*x).into()).collect()),
            "BOOL" | "U8" => Some(bytes.iter().map(|x| i64::from(*x)).collect()),
            _ => None,
        }
    }
}

/// Maps a regular file that is not empty.
pub(crate) fn map(path: &Path) -> Result<Arc<dyn Owner>> {
    match file::map(path) {
        Ok(mapped) => Ok(Arc::new(Mapped(mapped))),
        Err(fault) => Err(unread(path, &fault, "not-safetensors")),
    }
}

/// The same error, with the file's name in front.
pub(crate) fn named(path: &Path, error: Error) -> Error {
    Error { message: format!("{}: {}", path.display(), error.message), ..error }
}

/// Recognises what people mistake for safetensors.
fn sniff(bytes: &[u8]) -> Option<Error> {
    let start = &bytes[..bytes.len().min(512)];
    let text = String::from_utf8_lossy(start).trim_start().to_ascii_lowercase();
    let (what, help) = if text.starts_with("version https://git-lfs") {
        ("a Git LFS pointer, not the weights", "run `git lfs pull` in its folder")
    } else if text.starts_with("<!doctype") || text.starts_with("<html") {
        ("an HTML page, not the weights", "download it again, logged in if it needs that")
    } else if start.starts_with(b"PK\x03\x04") || start.starts_with(&[0x80, 2]) {
        ("a PyTorch pickle", "convert it: load it with torch and save it with safetensors.torch.save_file")
    } else if start.starts_with(&[0x1f, 0x8b]) {
        ("compressed with gzip", "decompress it first")
    } else if start.starts_with(b"GGUF") {
        ("a GGUF file under another name", "give the file itself as the weights")
    } else {
        return None;
    };
    Some(Error::new("not-safetensors", format!("this is {what}")).help(help))
}
