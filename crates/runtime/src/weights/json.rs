//! JSON as strangers write it: repeated keys are refused, and a file's size is bounded before it is read.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use formwork_tensor::{Error, Result};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Opens a regular file for reading; a pipe or a device would block or never end.
///
/// # Errors
/// Returns what `wrong` makes of a message if it is no regular file, or the system's reason.
pub(crate) fn open_regular(path: &Path, wrong: impl Fn(String) -> Error) -> Result<File> {
    let io = |error| Error::io(path, &error);
    if !path.metadata().map_err(io)?.is_file() {
        return Err(wrong(format!("{} is not a regular file", path.display())));
    }
    File::open(path).map_err(io)
}

/// The bytes of a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`open_regular`], and if there are more bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64, wrong: impl Fn(String) -> Error) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = open_regular(path, &wrong)?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| Error::io(path, &error))?;
    match bytes.len() as u64 > limit {
        true => Err(wrong(format!("{} has more than {limit} bytes", path.display()))),
        false => Ok(bytes),
    }
}

/// A value in which no object names a key twice.
pub(crate) struct Strict(pub(crate) Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Collect).map(Strict)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some((key, Strict(value))) = map.next_entry::<String, _>()? {
            if out.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key `{key}` stands twice in one object")));
            }
            out.insert(key, value);
        }
        Ok(Value::Object(out))
    }
}
