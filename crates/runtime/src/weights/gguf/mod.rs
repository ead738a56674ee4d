//! Weights in llama.cpp's files.

mod blocks;
mod entries;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use formwork_format::gguf::{self, Value};
use formwork_tensor::{Coded, Error, Owner, Param, Result};

use super::Weights;
use super::checkpoint::Checkpoint;
use super::file::{TensorFile, map, named};
use super::foreign::told;
use super::mapping::{Gguf, Mapping};
use super::pattern::glob;
use super::piece::Piece;
use super::report::Problem;
use blocks::{Blocks, Kind};
use entries::Entry;

/// An open file, its container checked.
pub(crate) struct GgufFile {
    path: PathBuf,
    data: Arc<dyn Owner>,
    values: BTreeMap<String, Value>,
    tensors: BTreeMap<String, Entry>,
}

impl Weights {
    /// Weights of a GGUF file, for which the mapping has rules of its own.
    pub(super) fn open_gguf(path: &Path, mapping: &Mapping) -> Result<Self> {
        let file = GgufFile::open(path)?;
        let architecture = file.architecture().unwrap_or_default();
        let known = mapping.gguf.map_or(&[][..], |gguf| gguf.architectures);
        let found = known.iter().find(|(name, _)| *name == architecture);
        let (Some(gguf), Some((_, first))) = (mapping.gguf, found) else {
            let names: Vec<_> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
            let message = format!("{} is for the architecture `{architecture}`", path.display());
            return Err(Error::new("gguf-architecture", message).help(match names.is_empty() {
                true => "the model's family reads no GGUF files: give a safetensors checkpoint".to_string(),
                false => format!("this model reads GGUF files for {}", names.join(", ")),
            }));
        };
        let problems = file.contradictions(gguf);
        let checkpoint = Checkpoint::from_files(vec![Box::new(file)])?;
        let mapping = Mapping { prefixes: &[], rules: gguf.rules, ignore: gguf.ignore, gguf: None };
        let weights = Self::from_parts(checkpoint, None, &mapping, first);
        weights.shared.state.borrow_mut().problems = problems;
        Ok(weights)
    }
}

impl GgufFile {
    /// Maps and checks a file, which must not shrink while it is in use.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let data = map(path)?;
        let header = gguf::parse(data.bytes()).map_err(|error| named(path, told(error)))?;
        let tensors = entries::place(&header, data.bytes().len()).map_err(|error| named(path, error))?;
        let file = Self { path: path.to_path_buf(), data, values: header.values, tensors };
        match file.number("split.count") {
            Some(count) if count > 1.0 => {
                let message = format!("{} is one of {count} parts", path.display());
                Err(Error::new("split-gguf", message)
                    .help("join them with the tool that split them, `gguf-split --merge`"))
            }
            _ => Ok(file),
        }
    }

    /// The name of the architecture that the file says it is for.
    pub(crate) fn architecture(&self) -> Option<&str> {
        self.values.get("general.architecture")?.text(self.data.bytes())
    }

    fn number(&self, key: &str) -> Option<f64> {
        match self.values.get(key)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// What the file says of the architecture and the model does not: other numbers, and keys that nothing reads.
    pub(crate) fn contradictions(&self, gguf: &Gguf) -> Vec<Problem> {
        let prefix = format!("{}.", self.architecture().unwrap_or_default());
        let keys = self.values.iter();
        let own = keys.filter_map(|(key, value)| Some((key, key.strip_prefix(&prefix)?, value)));
        let judge = |(key, inner, value): (&String, &str, &Value)| {
            let Some(fact) = gguf.facts.iter().find(|fact| fact.key == inner) else {
                let ignored = gguf.ignore.iter().any(|pattern| glob(pattern, inner));
                return (!ignored).then(|| Problem::Unread { key: key.clone() });
            };
            // Files hold 32-bit floats.
            let same = |x: f64| x as f32 == fact.value as f32;
            let found = match value {
                Value::Number(x) => vec![*x],
                Value::Numbers(numbers) => numbers.of(self.data.bytes()).collect(),
                Value::Text(_) | Value::Texts(_) => Vec::new(),
            };
            let odd = found.iter().find(|x| !same(**x)).copied();
            (odd.is_some() || found.is_empty()).then(|| Problem::Differs {
                key: key.clone(),
                expected: fact.value,
                found: odd,
            })
        };
        own.filter_map(judge).collect()
    }
}

impl TensorFile for GgufFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.tensors.keys().map(String::as_str))
    }

    fn describe(&self, name: &str) -> Option<(&str, &[usize])> {
        let entry = self.tensors.get(name)?;
        Some((entry.kind.map_or("of a type that is not read", Kind::name), &entry.dims))
    }

    fn piece(&self, name: &str) -> Option<Piece> {
        let entry = self.tensors.get(name)?;
        let bytes = entry.bytes.clone();
        match entry.kind.ok()? {
            Kind::Float(dtype) => Some(Param::new(&entry.dims, dtype, Arc::clone(&self.data), bytes).into()),
            Kind::F64 => {
                let (doubles, _) = self.data.bytes()[bytes].as_chunks();
                let floats: Vec<f32> = doubles.iter().map(|x| f64::from_le_bytes(*x) as f32).collect();
                Some(Param::from_f32(&entry.dims, &floats).into())
            }
            kind => {
                let width = *entry.dims.last()?;
                let rows = Blocks { owner: Arc::clone(&self.data), bytes, kind, width };
                Some(Coded::new(&entry.dims, Arc::new(rows)).into())
            }
        }
    }
}
