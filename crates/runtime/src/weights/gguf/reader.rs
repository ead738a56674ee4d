//! The container of a GGUF file: header, keys with values, descriptions of tensors. Nothing of it is trusted: every length is
//! held against the bytes that are left before it is used, and only names and keys are copied.
//!
//! The format is that of ggml's `docs/gguf.md`, versions 2 and 3, little-endian.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use formwork_tensor::{Error, Result};

use super::blocks::Kind;

/// The most axes of a tensor.
const MAX_AXES: usize = 4;
/// The longest key or name.
const MAX_NAME: u64 = 65_535;
/// The least bytes of a key with its value, and of a tensor's description.
const LEAST: [u64; 2] = [8 + 4 + 1, 8 + 4 + 8 + 4 + 8];

/// A value of a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// An integer, a float or a flag.
    Number(f64),
    /// Where a text stands in the file.
    Text(Range<usize>),
    /// Integers, floats or flags.
    Numbers { kind: u32, bytes: Range<usize> },
    /// Texts, which nothing here reads.
    Texts,
}

/// A tensor as its file describes it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// How its numbers are stored; the type's number where it is not read.
    pub(crate) kind: std::result::Result<Kind, u32>,
    /// Outermost axis first, as in a checkpoint.
    pub(crate) dims: Vec<usize>,
    /// Where its bytes stand in the file; empty for a type that is not read.
    pub(crate) bytes: Range<usize>,
}

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) tensors: BTreeMap<String, Entry>,
}

/// Reads and checks everything but the numbers.
pub(crate) fn parse(file: &[u8]) -> Result<Contents> {
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
    let tensors = place(tensors, base, alignment, file.len())?;
    Ok(Contents { values, tensors })
}

/// A tensor before its offset is known to be good.
struct Described {
    name: String,
    kind: std::result::Result<Kind, u32>,
    dims: Vec<usize>,
    offset: u64,
    size: usize,
}

/// Tensors lie in the file, aligned, and share no byte.
fn place(all: Vec<Described>, base: usize, alignment: usize, len: usize) -> Result<BTreeMap<String, Entry>> {
    let mut tensors = BTreeMap::new();
    let mut ranges = Vec::new();
    for Described { name, kind, dims, offset, size } in all {
        let start = usize::try_from(offset).ok().and_then(|offset| base.checked_add(offset));
        let range = start.and_then(|start| Some(start..start.checked_add(size)?));
        let Some(bytes) = range.filter(|_| offset % alignment as u64 == 0) else {
            let message = format!("`{name}`: its offset {offset} is no multiple of {alignment}, or beyond any file");
            return Err(Error::new("bad-gguf", message));
        };
        if bytes.end > len {
            let message = format!("`{name}` ends at byte {}, the file has {len}", bytes.end);
            return Err(Error::new("truncated-gguf", message).help("download it again"));
        }
        ranges.push((bytes.start, bytes.end, name.clone()));
        let entry = Entry { kind, dims, bytes };
        if tensors.insert(name.clone(), entry).is_some() {
            return Err(Error::new("duplicate-tensor", format!("`{name}` is described twice")));
        }
    }
    ranges.retain(|(start, end, _)| start < end);
    ranges.sort_unstable();
    if let Some((_, _, name)) = ranges.windows(2).find(|pair| pair[1].0 < pair[0].1).map(|pair| &pair[1]) {
        return Err(Error::new("overlapping-tensors", format!("`{name}` overlaps its neighbour")));
    }
    Ok(tensors)
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
        if self.bytes("the magic")? != *b"GGUF" {
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
                        (0..count).try_for_each(|_| self.text(key, u64::MAX).map(drop))?;
                        Ok(Value::Texts)
                    }
                    (_, Some(size)) if count <= self.left() / size => {
                        self.skip(count * size, key).map(|bytes| Value::Numbers { kind, bytes })
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

    fn tensors(&mut self, count: u64) -> Result<Vec<Described>> {
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

    fn tensor(&mut self) -> Result<Described> {
        let name = self.name("a tensor's name")?;
        let axes = self.u32(&name)? as usize;
        let shape = |message: String| Error::new("tensor-shape", message);
        if axes > MAX_AXES {
            return Err(shape(format!("`{name}` has {axes} axes; up to {MAX_AXES} are read")));
        }
        let mut dims = Vec::new();
        for _ in 0..axes {
            let dim = self.u64(&name)?;
            dims.insert(0, usize::try_from(dim).unwrap_or(0));
        }
        let count = dims.iter().try_fold(1_usize, |product, dim| product.checked_mul(*dim)).unwrap_or(0);
        let (kind, offset) = (self.u32(&name)?, self.u64(&name)?);
        let kind = Kind::of(kind).ok_or(kind);
        let size = match kind {
            Ok(kind) => kind.size(count, dims.last().copied().unwrap_or(1)),
            Err(_) => Some(0),
        };
        match size.filter(|_| count > 0) {
            Some(size) => Ok(Described { name, kind, dims, offset, size }),
            None => Err(shape(format!("`{name}`: a tensor of its type cannot have the shape {dims:?}"))),
        }
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

/// A number of a type from its bytes; integers beyond 2^53 are rounded.
pub(crate) fn number(kind: u32, bytes: &[u8]) -> f64 {
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

/// The numbers of a list.
pub(crate) fn numbers(kind: u32, bytes: &[u8]) -> impl Iterator<Item = f64> {
    let size = number_size(kind).unwrap_or(1) as usize;
    bytes.chunks_exact(size).map(move |bytes| number(kind, bytes))
}
