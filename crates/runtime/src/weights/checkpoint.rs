//! A checkpoint: one file, or the shards of an index.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use formwork_format::{file, json};
use formwork_tensor::{DType, Error, Format, Result};
use serde_json::Value;

use super::file::{SafeTensors, TensorFile};
use super::foreign::unread;
use super::packed_file::PackedFile;
use super::piece::Piece;

/// The largest index read.
const MAX_INDEX: u64 = 100 << 20;

/// The file of a folder that holds all weights, where there are no shards.
pub(crate) const SINGLE: &str = "model.safetensors";

/// Stored types of weights, and the format that each is held in where nothing else is asked for.
const FORMATS: [(&str, Format); 10] = [
    ("F32", Format::Float(DType::F32)),
    ("BF16", Format::Float(DType::Bf16)),
    ("F16", Format::Float(DType::F16)),
    ("Q8", Format::Q8),
    ("Q6", Format::Q6),
    ("Q4", Format::Q4),
    ("Q4Z", Format::Q4Zero),
    ("Q8_0", Format::Q8),
    ("Q5_0", Format::Q8),
    ("Q4_0", Format::Q4),
];

/// All tensors of a model's files, by name.
#[derive(Default)]
pub(crate) struct Checkpoint {
    files: Vec<Box<dyn TensorFile>>,
    tensors: BTreeMap<String, usize>,
    /// Whether names are those of the model itself.
    packed: bool,
}

impl Checkpoint {
    /// Opens a folder, an index or a single file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let metadata = path.metadata().map_err(|error| Error::io(path, &error))?;
        if !metadata.is_dir() {
            return match path.to_string_lossy().ends_with(".index.json") {
                true => Self::sharded(path),
                false => Self::single(path),
            };
        }
        let (single, index) = (path.join(SINGLE), path.join("model.safetensors.index.json"));
        if single.exists() {
            return Self::single(&single);
        }
        if index.exists() {
            return Self::sharded(&index);
        }
        let message = format!("{} holds no {SINGLE} and no index of shards", path.display());
        let error = Error::new("no-weights", message);
        Err(match path.join("pytorch_model.bin").exists() {
            true => error.help("convert pytorch_model.bin with safetensors.torch.save_file"),
            false => error,
        })
    }

    fn single(path: &Path) -> Result<Self> {
        let file = SafeTensors::open(path)?;
        match PackedFile::is_packed(&file)? {
            true => Ok(Self { packed: true, ..Self::from_files(vec![Box::new(PackedFile::new(file)?)])? }),
            false => Self::from_files(vec![Box::new(file)]),
        }
    }

    /// The tensors of some files.
    pub(crate) fn from_files(files: Vec<Box<dyn TensorFile>>) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            for name in file.names() {
                if let Some(first) = tensors.insert(name.to_string(), index) {
                    let first = files[first].path().display();
                    let message = format!("`{name}` is in {first} and again in {}", file.path().display());
                    return Err(Error::new("duplicate-tensor", message));
                }
            }
        }
        Ok(Self { files, tensors, packed: false })
    }

    fn sharded(index: &Path) -> Result<Self> {
        let folder = index.parent().unwrap_or(Path::new(""));
        let listed = read_index(index)?;
        let mut files: Vec<Box<dyn TensorFile>> = Vec::new();
        for shard in listed.values().collect::<BTreeSet<_>>() {
            files.push(Box::new(SafeTensors::open(&shard_path(folder, shard)?)?));
        }
        let checkpoint = Self::from_files(files)?;
        for (name, shard) in &listed {
            let found = checkpoint.tensors.get(name);
            let file = found.map(|at| checkpoint.files[*at].path().file_name());
            if file != Some(Some(shard.as_ref())) {
                let message = format!("the index puts `{name}` into `{shard}`, which lacks it");
                return Err(Error::new("missing-tensor", message));
            }
        }
        if let Some(extra) = checkpoint.tensors.keys().find(|name| !listed.contains_key(*name)) {
            let message = format!("`{extra}` is in a shard but not in the index");
            return Err(Error::new("unlisted-tensor", message));
        }
        Ok(checkpoint)
    }

    /// The files.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path())
    }

    /// Whether numbers are in codes: they were rounded when these were made.
    pub(crate) fn has_codes(&self) -> bool {
        let tensors = self.names().filter_map(|name| self.describe(name));
        tensors.map(|(stored, _)| stored).any(|stored| stored.starts_with('Q'))
    }

    /// All names, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The dtype and shape of a tensor.
    pub(crate) fn describe(&self, name: &str) -> Option<(&str, &[usize])> {
        self.files[*self.tensors.get(name)?].describe(name)
    }

    /// Whether the names are the model's own: nothing is left to be mapped.
    pub(crate) fn packed(&self) -> bool {
        self.packed
    }

    /// The format that most numbers are stored in.
    pub(crate) fn format(&self) -> Option<Format> {
        let count = |(stored, _): &(&str, Format)| -> usize {
            let tensors = self.names().filter_map(|name| self.describe(name));
            tensors.filter(|(dtype, _)| dtype == stored).map(|(_, dims)| dims.iter().product::<usize>()).sum()
        };
        FORMATS.into_iter().max_by_key(count).filter(|of| count(of) > 0).map(|(_, format)| format)
    }

    /// A tensor of numbers; none for other types.
    pub(crate) fn piece(&self, name: &str) -> Option<Piece> {
        self.files[*self.tensors.get(name)?].piece(name)
    }
}

/// Which shard each tensor is in.
fn read_index(path: &Path) -> Result<BTreeMap<String, String>> {
    let wrong = |what: &str| Error::new("bad-index", format!("{}: {what}", path.display()));
    let text = file::read(path, MAX_INDEX).map_err(|fault| unread(path, &fault, "bad-index"))?;
    let index = json::parse(&text).map_err(|error| wrong(&error.to_string()))?;
    let map = index.get("weight_map").ok_or_else(|| wrong("there is no `weight_map`"))?;
    let map = map.as_object().ok_or_else(|| wrong("`weight_map` is not an object"))?;
    let shard = |(name, value): (&String, &Value)| match value {
        Value::String(shard) => Ok((name.clone(), shard.clone())),
        _ => Err(wrong(&format!("`{name}` has no shard name"))),
    };
    map.iter().map(shard).collect()
}

/// The path of a shard, which is a file in the folder of its index.
fn shard_path(folder: &Path, shard: &str) -> Result<PathBuf> {
    let refuse = |why: &str| Error::new("shard-path", format!("the shard name `{shard}` {why}"));
    if shard.is_empty() || shard.contains(['/', '\\', '\0', ':']) || shard == ".." || shard == "." {
        return Err(refuse("is not a plain file name"));
    }
    let path = folder.join(shard);
    let Ok(real) = path.canonicalize() else {
        let message = format!("{} is listed in the index and absent", path.display());
        return Err(Error::new("missing-shard", message).help("download the missing shard"));
    };
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let home = folder.canonicalize().map_err(|error| Error::io(folder, &error))?;
    if real.starts_with(&home) || hub_blobs(&home).is_some_and(|blobs| real.starts_with(blobs)) {
        return Ok(path);
    }
    Err(refuse("leads out of its folder"))
}

/// The store that a `snapshots/REVISION` folder of a hub cache links into.
fn hub_blobs(folder: &Path) -> Option<PathBuf> {
    let snapshots = folder.parent()?;
    let is_cache = snapshots.file_name()? == "snapshots";
    is_cache.then(|| snapshots.parent().map(|repository| repository.join("blobs")))?
}
