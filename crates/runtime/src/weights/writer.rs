//! Writes safetensors files, atomically.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use formwork_tensor::{Error, Result};
use serde_json::{Map, json};

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

/// Writes a whole file: it appears complete or not at all. A device, a pipe or a folder is never replaced.
pub fn write(path: &Path, outputs: &[Output]) -> Result<()> {
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(Error::io(path, &std::io::Error::other("only a regular file can be replaced")));
    }
    let mut header = Map::new();
    let mut data = Vec::new();
    // Wider numbers first, so that all are aligned.
    let integers = outputs.iter().filter(|output| matches!(output.numbers, Numbers::Integers(_)));
    let floats = outputs.iter().filter(|output| matches!(output.numbers, Numbers::Floats(_)));
    for output in integers.chain(floats) {
        let start = data.len();
        data.extend(output.bytes());
        let dtype = match output.numbers {
            Numbers::Floats(_) => "F32",
            Numbers::Integers(_) => "I64",
        };
        let entry = json!({ "dtype": dtype, "shape": output.dims, "data_offsets": [start, data.len()] });
        header.insert(output.name.clone(), entry);
    }
    let mut header = serde_json::Value::Object(header).to_string();
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let length = (header.len() as u64).to_le_bytes();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let save = || -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(&length)?;
        file.write_all(header.as_bytes())?;
        file.write_all(&data)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    save().map_err(|error| {
        // The first error is what counts; a temporary file that cannot be removed does no harm.
        let _ = std::fs::remove_file(&temporary);
        Error::io(path, &error)
    })
}
