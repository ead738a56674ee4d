//! What lies beside the weights of a checkpoint, and what a model's program says of itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use formwork_tokenizer::Tokenizer;
use serde_json::Value;

use crate::problem::Problem;

/// Files that say how to generate, the one that decides first.
const CONFIGS: [&str; 2] = ["generation_config.json", "config.json"];

/// A checkpoint's folder.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder itself, or the one that holds the weights file.
    pub(crate) fn of(weights: &Path) -> Self {
        match weights.parent() {
            Some(parent) if !weights.is_dir() => Self(parent.to_path_buf()),
            _ => Self(weights.to_path_buf()),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        match self.0.as_os_str().is_empty() {
            true => Path::new("."),
            false => &self.0,
        }
    }

    /// Its tokenizer.
    pub(crate) fn tokenizer(&self) -> Result<Tokenizer, Problem> {
        Ok(Tokenizer::open(&self.0)?)
    }

    /// A JSON file of it; null where there is none.
    pub(crate) fn json(&self, name: &str) -> Result<Value, Problem> {
        let path = self.0.join(name);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Value::Null),
            Err(error) => return Err(Problem::io(&path, &error)),
        };
        serde_json::from_slice(&bytes)
            .map_err(|error| Problem::wrong("json-syntax", format!("`{}`: {error}", path.display())))
    }

    /// An id that a config gives.
    pub(crate) fn number(&self, key: &str) -> Result<Option<u32>, Problem> {
        Ok(self.ids(key)?.first().copied())
    }

    /// Ids that end a text.
    pub(crate) fn stop_ids(&self) -> Result<Vec<u32>, Problem> {
        self.ids("eos_token_id")
    }

    /// What the generation config says under a key; null where it says nothing.
    pub(crate) fn generation(&self, key: &str) -> Result<Value, Problem> {
        Ok(self.json(CONFIGS[0])?.get(key).cloned().unwrap_or(Value::Null))
    }

    /// One id or several, from the first file that has the key.
    fn ids(&self, key: &str) -> Result<Vec<u32>, Problem> {
        for name in CONFIGS {
            let config = self.json(name)?;
            let ids: Vec<&Value> = match config.get(key) {
                None | Some(Value::Null) => continue,
                Some(Value::Array(ids)) => ids.iter().collect(),
                Some(id) => vec![id],
            };
            let wrong =
                |id: &Value| Problem::wrong("type-mismatch", format!("`{key}` in `{name}` is {id}, which is no id"));
            return ids
                .into_iter()
                .map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| wrong(id)))
                .collect();
        }
        Ok(Vec::new())
    }
}

/// What a model's program says of itself.
pub(crate) struct Facts {
    pub(crate) name: String,
    pub(crate) output: String,
    pub(crate) inputs: Vec<String>,
    pub(crate) max_positions: Option<usize>,
}

impl Facts {
    pub(crate) fn of(executable: &Path) -> Result<Self, Problem> {
        let output = Command::new(executable).arg("info").output().map_err(|e| Problem::io(executable, &e))?;
        let facts: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| Problem::bug(format!("the model's program does not describe itself: {error}")))?;
        let text = |key: &str| facts.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
        let inputs = facts.get("inputs").and_then(Value::as_array).into_iter().flatten();
        Ok(Self {
            name: text("name"),
            output: text("output"),
            inputs: inputs.filter_map(Value::as_str).map(String::from).collect(),
            max_positions: facts.get("max_positions").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()),
        })
    }

    /// Whether it has a decoder beside its encoder.
    pub(crate) fn decodes(&self) -> bool {
        self.inputs.iter().any(|input| input == "decoder_input_ids")
    }
}
