//! What lies beside the weights of a checkpoint.

use std::path::{Path, PathBuf};

use formwork_tokenizer::Tokenizer;
use serde_json::Value;

use crate::error::{Error, Result, told};

/// Files that say how to generate, the one that decides first.
const CONFIGS: [&str; 2] = ["generation_config.json", "config.json"];

/// A checkpoint's folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder itself, or the one that holds the weights file.
    pub fn of(weights: &Path) -> Self {
        match weights.parent() {
            Some(parent) if !weights.is_dir() => Self(parent.to_path_buf()),
            _ => Self(weights.to_path_buf()),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self.0.as_os_str().is_empty() {
            true => Path::new("."),
            false => &self.0,
        }
    }

    /// Its tokenizer.
    ///
    /// # Errors
    /// If there is none that works.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        Tokenizer::open(&self.0).map_err(told)
    }

    /// A text file of it, if it is there.
    ///
    /// # Errors
    /// `io` if it cannot be read, `bad-text` if it is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<String>> {
        let path = self.0.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(Error::new("bad-text", format!("`{}` is not UTF-8 text", path.display()))),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(&path, &error)),
        }
    }

    /// A JSON file of it; null where there is none.
    ///
    /// # Errors
    /// `io`; `json-syntax`.
    pub fn json(&self, name: &str) -> Result<Value> {
        let Some(text) = self.text(name)? else { return Ok(Value::Null) };
        serde_json::from_str(&text)
            .map_err(|error| Error::new("json-syntax", format!("`{}`: {error}", self.0.join(name).display())))
    }

    /// An id that a config gives.
    ///
    /// # Errors
    /// As [`Folder::json`]; `type-mismatch` if it is no id.
    pub fn number(&self, key: &str) -> Result<Option<u32>> {
        Ok(self.ids(key)?.first().copied())
    }

    /// Ids that end a text.
    ///
    /// # Errors
    /// As [`Folder::number`].
    pub fn stop_ids(&self) -> Result<Vec<u32>> {
        self.ids("eos_token_id")
    }

    /// What the generation config says under a key; null where it says nothing.
    ///
    /// # Errors
    /// As [`Folder::json`].
    pub fn generation(&self, key: &str) -> Result<Value> {
        Ok(self.json(CONFIGS[0])?.get(key).cloned().unwrap_or(Value::Null))
    }

    /// One id or several, from the first file that has the key.
    fn ids(&self, key: &str) -> Result<Vec<u32>> {
        for name in CONFIGS {
            let config = self.json(name)?;
            let ids: Vec<&Value> = match config.get(key) {
                None | Some(Value::Null) => continue,
                Some(Value::Array(ids)) => ids.iter().collect(),
                Some(id) => vec![id],
            };
            let wrong =
                |id: &Value| Error::new("type-mismatch", format!("`{key}` in `{name}` is {id}, which is no id"));
            return ids
                .into_iter()
                .map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| wrong(id)))
                .collect();
        }
        Ok(Vec::new())
    }
}
