//! The header of a safetensors file, checked before any byte of data is touched.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;

use formwork_format::json::Strict;
use formwork_tensor::{Error, Result};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// The largest header read.
const MAX_HEADER: u64 = 100 << 20;

/// The largest number of axes of a stored tensor.
const MAX_AXES: usize = 8;

/// A tensor as its file describes it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) dtype: String,
    pub(crate) dims: Vec<usize>,
    /// Where its bytes stand in the file.
    pub(crate) bytes: Range<usize>,
}

/// What a header holds.
#[derive(Default)]
pub(crate) struct Header {
    pub(crate) entries: Vec<Entry>,
    pub(crate) metadata: HashMap<String, String>,
}

/// Reads and checks the header of a whole file.
pub(crate) fn parse(file: &[u8]) -> Result<Header> {
    let Some((length, rest)) = file.split_first_chunk::<8>() else {
        let message = format!("{} bytes are too few for a header", file.len());
        return Err(Error::new("truncated-safetensors", message));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER {
        return Err(malformed(format!("a header of {length} bytes")));
    }
    let length = length as usize;
    if length > rest.len() {
        let message = format!("the header has {length} bytes, the file {} more", rest.len());
        return Err(Error::new("truncated-safetensors", message).help("download it again"));
    }
    let (header, data) = rest.split_at(length);
    if header.first() != Some(&b'{') {
        return Err(malformed("the header is not a JSON object"));
    }
    let Pairs(pairs) =
        serde_json::from_slice(header).map_err(|error| malformed(format!("the header is not valid JSON: {error}")))?;
    let mut names = HashSet::new();
    let (mut entries, mut metadata) = (Vec::new(), HashMap::new());
    for (name, value) in &pairs {
        if name.chars().any(char::is_control) {
            return Err(malformed(format!("the name {name:?} has control characters")));
        }
        if !names.insert(name) {
            return Err(Error::new("duplicate-tensor", format!("`{name}` is named twice")));
        }
        match name.as_str() {
            "__metadata__" => metadata = strings(value)?,
            _ => entries.push(entry(name, value, 8 + length)?),
        }
    }
    check_cover(&mut entries, 8 + length, data.len())?;
    Ok(Header { entries, metadata })
}

fn malformed(message: impl Into<String>) -> Error {
    Error::new("not-safetensors", message)
}

fn strings(value: &Value) -> Result<HashMap<String, String>> {
    let pair = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_string()));
    let strings = value.as_object().and_then(|map| map.iter().map(pair).collect());
    strings.ok_or_else(|| malformed("`__metadata__` maps names to strings"))
}

/// One tensor; its range is relative to the file.
fn entry(name: &str, value: &Value, base: usize) -> Result<Entry> {
    let wrong = |what: &str| malformed(format!("`{name}` has no valid {what}"));
    let fields = value.as_object().ok_or_else(|| wrong("description"))?;
    if let Some(unknown) = fields.keys().find(|key| !["dtype", "shape", "data_offsets"].contains(&key.as_str())) {
        return Err(malformed(format!("`{name}` has an unknown field `{unknown}`")));
    }
    let integers = |key: &str| -> Option<Vec<usize>> {
        let list = fields.get(key)?.as_array()?;
        list.iter().map(|x| usize::try_from(x.as_u64()?).ok()).collect()
    };
    let dtype = fields.get("dtype").and_then(Value::as_str).ok_or_else(|| wrong("dtype"))?;
    let dims = integers("shape").ok_or_else(|| wrong("shape"))?;
    let offsets = integers("data_offsets").ok_or_else(|| wrong("data_offsets"))?;
    let &[start, end] = &offsets[..] else {
        return Err(wrong("data_offsets"));
    };
    if dims.len() > MAX_AXES || dims.contains(&0) {
        let message = format!("`{name}` has shape {dims:?}; up to {MAX_AXES} axes above 0 are read");
        return Err(Error::new("tensor-shape", message));
    }
    let size = dtype_size(dtype)
        .ok_or_else(|| Error::new("tensor-dtype", format!("`{name}` has the unknown dtype `{dtype}`")))?;
    let bytes = dims.iter().try_fold(size, |product, dim| product.checked_mul(*dim));
    if end.checked_sub(start).is_none() || bytes != Some(end - start) {
        let message = format!("`{name}`: bytes {start}..{end} do not hold {dtype} {dims:?}");
        return Err(Error::new("tensor-shape", message));
    }
    let place = |at: usize| at.checked_add(base).ok_or_else(|| wrong("data_offsets"));
    let bytes = place(start)?..place(end)?;
    Ok(Entry { name: name.to_string(), dtype: dtype.to_string(), dims, bytes })
}

/// Tensors follow each other from the first byte of data to the last.
fn check_cover(entries: &mut [Entry], base: usize, data: usize) -> Result<()> {
    entries.sort_by_key(|entry| entry.bytes.start);
    let mut end = base;
    for Entry { name, bytes, .. } in entries.iter() {
        if bytes.start < end {
            return Err(Error::new("overlapping-tensors", format!("`{name}` overlaps its neighbour")));
        }
        if bytes.start > end {
            let message = format!("{} bytes before `{name}` belong to none", bytes.start - end);
            return Err(Error::new("tensor-gap", message));
        }
        end = bytes.end;
    }
    if end - base > data {
        let message = format!("tensors need {} bytes, the file has {data}", end - base);
        return Err(Error::new("truncated-safetensors", message).help("download it again"));
    }
    if end - base < data {
        let message = format!("{} bytes after the last tensor", data - (end - base));
        return Err(Error::new("trailing-bytes", message));
    }
    Ok(())
}

/// Bytes of one element of a dtype of the format.
pub(crate) fn dtype_size(dtype: &str) -> Option<usize> {
    Some(match dtype {
        "BOOL" | "U8" | "I8" | "F8_E4M3" | "F8_E5M2" | "F8_E8M0" => 1,
        "I16" | "U16" | "F16" | "BF16" => 2,
        "I32" | "U32" | "F32" => 4,
        "I64" | "U64" | "F64" | "C64" => 8,
        _ => return None,
    })
}

/// A JSON object as written: in order, with duplicates, which only its values may not have.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, Strict(value))) = map.next_entry()? {
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}
