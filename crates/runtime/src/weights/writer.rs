//! Writes safetensors files, atomically.

use std::io::Write;
use std::path::Path;

use formwork_format::WholeFile;
use formwork_tensor::{Error, Result};
use serde_json::{Map, Value, json};

use super::header::dtype_size;

/// The numbers of a tensor to write.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// `F32`.
    Floats(Vec<f32>),
    /// `I64`.
    Integers(Vec<i64>),
}

/// A tensor to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub dims: Vec<usize>,
    /// Its numbers.
    pub numbers: Numbers,
}

impl Output {
    fn bytes(&self) -> Vec<u8> {
        match &self.numbers {
            Numbers::Floats(floats) => floats.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Numbers::Integers(integers) => integers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }
}

/// A tensor whose bytes are made while they are written.
pub(crate) struct Planned<'a> {
    pub(crate) name: String,
    pub(crate) dtype: &'static str,
    pub(crate) dims: Vec<usize>,
    pub(crate) write: Fill<'a>,
}

/// Writes all bytes of a tensor.
type Fill<'a> = Box<dyn Fn(&mut dyn Write) -> std::io::Result<()> + 'a>;

impl Planned<'_> {
    fn size(&self) -> usize {
        dtype_size(self.dtype).unwrap_or(1)
    }
}

/// Writes a whole file: it appears complete or not at all. A device, a pipe or a folder is never replaced.
pub fn write(path: &Path, outputs: &[Output]) -> Result<()> {
    fn planned(output: &Output) -> Planned<'_> {
        let dtype = match output.numbers {
            Numbers::Floats(_) => "F32",
            Numbers::Integers(_) => "I64",
        };
        let write = Box::new(|out: &mut dyn Write| out.write_all(&output.bytes()));
        Planned { name: output.name.clone(), dtype, dims: output.dims.clone(), write }
    }
    write_planned(path, &[], outputs.iter().map(planned).collect())
}

/// The same for tensors that are made while they are written, and with metadata.
pub(crate) fn write_planned(path: &Path, metadata: &[(&str, &str)], mut planned: Vec<Planned<'_>>) -> Result<()> {
    let mut header = Map::new();
    if !metadata.is_empty() {
        let strings = metadata.iter().map(|(key, value)| ((*key).to_string(), Value::from(*value)));
        header.insert("__metadata__".to_string(), Value::Object(strings.collect()));
    }
    // Wider numbers first, so that all are aligned.
    planned.sort_by_key(|planned| std::cmp::Reverse(planned.size()));
    let mut start = 0;
    for Planned { name, dtype, dims, .. } in &planned {
        let end = start + dims.iter().product::<usize>() * dtype_size(dtype).unwrap_or(1);
        header.insert(name.clone(), json!({ "dtype": dtype, "shape": dims, "data_offsets": [start, end] }));
        start = end;
    }
    let mut header = Value::Object(header).to_string();
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let length = (header.len() as u64).to_le_bytes();
    let save = || -> std::io::Result<()> {
        let mut out = WholeFile::create(path)?;
        out.write_all(&length)?;
        out.write_all(header.as_bytes())?;
        planned.iter().try_for_each(|planned| (planned.write)(&mut out))?;
        out.publish()
    };
    save().map_err(|error| Error::io(path, &error))
}
