//! The container of a GGUF file: header, keys with values, descriptions of tensors. Nothing of it is trusted: every length is
//! held against the bytes that are left before it is used, and only names and keys are copied.
//!
//! The format is that of ggml's `docs/gguf.md`, versions 2 and 3, little-endian.

use std::collections::{BTreeMap, HashSet};
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use crate::{Error, file};

type Result<T> = std::result::Result<T, Error>;

/// The most axes of a tensor.
const MAX_AXES: usize = 4;
/// The longest key or name.
const MAX_NAME: u64 = 65_535;
/// The least bytes of a key with its value, and of a tensor's description.
const LEAST: [u64; 2] = [8 + 4 + 1, 8 + 4 + 8 + 4 + 8];

/// A value of a key, whose longer ones stay in the file.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An integer, a float or a flag; integers beyond 2^53 are rounded.
    Number(f64),
    /// A text in the file.
    Text(Range<usize>),
    /// Integers, floats or flags in the file.
    Numbers(Numbers),
    /// Texts in the file, each after its length.
    Texts(Range<usize>),
}

/// A list of numbers of one type.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    kind: u32,
    bytes: Range<usize>,
}

impl Numbers {
    /// The numbers, as [`Value::Number`] has them; `file` is the file that they were found in.
    pub fn of<'a>(&self, file: &'a [u8]) -> impl Iterator<Item = f64> + use<'a> {
        let kind = self.kind;
        let size = number_size(kind).unwrap_or(1) as usize;
        file[self.bytes.clone()].chunks_exact(size).map(move |bytes| number(kind, bytes))
    }

    /// The bytes of a list of bytes.
    pub fn bytes<'a>(&self, file: &'a [u8]) -> Option<&'a [u8]> {
        (number_size(self.kind) == Some(1)).then(|| &file[self.bytes.clone()])
    }
}

impl Value {
    /// A text; `file` is the file that it was found in.
    pub fn text<'a>(&self, file: &'a [u8]) -> Option<&'a str> {
        match self {
            Self::Text(range) => std::str::from_utf8(&file[range.clone()]).ok(),
            _ => None,
        }
    }

    /// A list of texts.
    pub fn texts<'a>(&self, file: &'a [u8]) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
        let Self::Texts(range) = self else { return None };
        let mut rest = &file[range.clone()];
        Some(std::iter::from_fn(move || {
            let (length, tail) = rest.split_first_chunk::<8>()?;
            let (text, tail) = tail.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
            rest = tail;
            std::str::from_utf8(text).ok()
        }))
    }
}

/// A tensor as its file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// The number of the type that it is stored as.
    pub kind: u32,
    /// Outermost axis first, as in a checkpoint; a size that no machine can have is 0.
    pub dims: Vec<usize>,
    /// Where its bytes begin, counted from [`Header::base`].
    pub offset: u64,
}

/// What a file holds, but for the bytes of its tensors, which may not be there at all.
#[derive(Debug)]
pub struct Header {
    /// Keys with their values.
    pub values: BTreeMap<String, Value>,
    /// Tensors, each under a name of its own.
    pub tensors: Vec<Tensor>,
    /// What the offsets of tensors are multiples of.
    pub alignment: usize,
    /// Where the bytes of the tensors begin.
    pub base: usize,
}

const MAGIC: [u8; 4] = *b"GGUF";

/// Whether there is a file that begins as GGUF files do.
pub fn is_at(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    file::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok()) && start == MAGIC
}

/// Reads and checks everything but the numbers of tensors.
///
/// # Errors
/// `bad-gguf`, `truncated-gguf`, `duplicate-tensor`, `tensor-shape`.
pub fn parse(file: &[u8]) -> Result<Header> {
    let mut reader = Reader { file, at: 0 };
    reader.magic()?;
    let [tensors, values] = [reader.u64("the number of tensors")?, reader.u64("the number of keys")?];
    for (count, least, what) in [(values, LEAST[0], "keys"), (tensors, LEAST[1], "tensors")] {
        if count > reader.left() / least {
            return Err(reader.malformed(format!("{count} {what} do not fit into {} bytes", reader.left())));
        }
    }
    let values = reader.values(values)?;
    let tensors = reader.tensors(tensors)?;
    let alignment = match values.get("general.alignment") {
        None => 32,
        Some(Value::Number(x)) if *x >= 1.0 && *x <= 65_536.0 && (*x as usize).is_power_of_two() => *x as usize,
        Some(_) => return Err(reader.malformed("`general.alignment` is no power of two up to 65536")),
    };
    let base = reader.at.next_multiple_of(alignment);
    Ok(Header { values, tensors, alignment, base })
}

struct Reader<'a> {
    file: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn left(&self) -> u64 {
        (self.file.len() - self.at) as u64
    }

    fn malformed(&self, what: impl std::fmt::Display) -> Error {
        Error::new("bad-gguf", format!("before byte {}: {what}", self.at))
    }

    /// Where the next `count` bytes stand.
    fn skip(&mut self, count: u64, what: &str) -> Result<Range<usize>> {
        if count > self.left() {
            let message =
                format!("{what} needs {count} bytes at byte {}, the file ends after {}", self.at, self.left());
            return Err(Error::new("truncated-gguf", message).help("download it again"));
        }
        let start = self.at;
        self.at += count as usize;
        Ok(start..self.at)
    }

    fn bytes<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let range = self.skip(N as u64, what)?;
        let mut out = [0; N];
        out.copy_from_slice(&self.file[range]);
        Ok(out)
    }

    fn u32(&mut self, what: &str) -> Result<u32> {
        self.bytes(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &str) -> Result<u64> {
        self.bytes(what).map(u64::from_le_bytes)
    }

    fn magic(&mut self) -> Result<()> {
        if self.bytes("the magic")? != MAGIC {
            return Err(self.malformed("this is no GGUF file"));
        }
        match self.u32("the version")? {
            2 | 3 => Ok(()),
            1 => Err(self.malformed("version 1 is not read").help("convert the original weights with newer tools")),
            version if version.swap_bytes() <= 3 => {
                Err(self.malformed("its numbers are big-endian, which is not read"))
            }
            version => Err(self.malformed(format!("version {version} is not known"))),
        }
    }

    /// A text of at most `most` bytes.
    fn text(&mut self, what: &str, most: u64) -> Result<Range<usize>> {
        let length = self.u64(what)?;
        if length > most {
            return Err(self.malformed(format!("{what} has {length} bytes, more than {most}")));
        }
        let range = self.skip(length, what)?;
        match std::str::from_utf8(&self.file[range.clone()]) {
            Ok(_) => Ok(range),
            Err(_) => Err(self.malformed(format!("{what} is not UTF-8"))),
        }
    }

    /// A key or a tensor's name.
    fn name(&mut self, what: &str) -> Result<String> {
        let range = self.text(what, MAX_NAME)?;
        let name = String::from_utf8_lossy(&self.file[range]).into_owned();
        match name.is_empty() || name.chars().any(char::is_control) {
            true => Err(self.malformed(format!("{what} {name:?} is empty or has control characters"))),
            false => Ok(name),
        }
    }

    fn values(&mut self, count: u64) -> Result<BTreeMap<String, Value>> {
        let mut values = BTreeMap::new();
        for _ in 0..count {
            let key = self.name("a key")?;
            let kind = self.u32(&key)?;
            let value = self.value(&key, kind)?;
            if values.contains_key(&key) {
                return Err(self.malformed(format!("the key `{key}` stands twice")));
            }
            values.insert(key, value);
        }
        Ok(values)
    }

    fn value(&mut self, key: &str, kind: u32) -> Result<Value> {
        match kind {
            TEXT => self.text(key, u64::MAX).map(Value::Text),
            ARRAY => {
                let (kind, count) = (self.u32(key)?, self.u64(key)?);
                match (kind, number_size(kind)) {
                    (TEXT, _) if count <= self.left() / 8 => {
                        let start = self.at;
                        (0..count).try_for_each(|_| self.text(key, u64::MAX).map(drop))?;
                        Ok(Value::Texts(start..self.at))
                    }
                    (_, Some(size)) if count <= self.left() / size => {
                        self.skip(count * size, key).map(|bytes| Value::Numbers(Numbers { kind, bytes }))
                    }
                    (TEXT, _) | (_, Some(_)) => {
                        let message = format!("{count} items of `{key}` do not fit into {} bytes", self.left());
                        Err(Error::new("truncated-gguf", message).help("download it again"))
                    }
                    _ => Err(self.malformed(format!("`{key}` is a list of the unknown type {kind}"))),
                }
            }
            _ => {
                let size =
                    number_size(kind).ok_or_else(|| self.malformed(format!("`{key}` has the unknown type {kind}")))?;
                let range = self.skip(size, key)?;
                Ok(Value::Number(number(kind, &self.file[range])))
            }
        }
    }

    fn tensors(&mut self, count: u64) -> Result<Vec<Tensor>> {
        let mut names = HashSet::new();
        let mut all = Vec::new();
        for _ in 0..count {
            let tensor = self.tensor()?;
            if !names.insert(tensor.name.clone()) {
                return Err(Error::new("duplicate-tensor", format!("`{}` is described twice", tensor.name)));
            }
            all.push(tensor);
        }
        Ok(all)
    }

    fn tensor(&mut self) -> Result<Tensor> {
        let name = self.name("a tensor's name")?;
        let axes = self.u32(&name)? as usize;
        if axes > MAX_AXES {
            let message = format!("`{name}` has {axes} axes; up to {MAX_AXES} are read");
            return Err(Error::new("tensor-shape", message));
        }
        let mut dims = Vec::new();
        for _ in 0..axes {
            let dim = self.u64(&name)?;
            dims.insert(0, usize::try_from(dim).unwrap_or(0));
        }
        let (kind, offset) = (self.u32(&name)?, self.u64(&name)?);
        Ok(Tensor { name, kind, dims, offset })
    }
}

const TEXT: u32 = 8;
const ARRAY: u32 = 9;

/// Bytes of a number of a type.
fn number_size(kind: u32) -> Option<u64> {
    Some(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        _ => return None,
    })
}

/// A number of a type from its bytes.
fn number(kind: u32, bytes: &[u8]) -> f64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    let word = u64::from_le_bytes(word);
    match kind {
        1 => f64::from((word as u8).cast_signed()),
        3 => f64::from((word as u16).cast_signed()),
        5 => f64::from((word as u32).cast_signed()),
        6 => f64::from(f32::from_bits(word as u32)),
        11 => word.cast_signed() as f64,
        12 => f64::from_bits(word),
        _ => word as f64,
    }
}
