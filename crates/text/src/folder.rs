//! What lies beside the weights of a checkpoint.

use std::path::{Path, PathBuf};

use formwork_tokenizer::{Ends, Tokenizer};
use serde_json::Value;

use crate::error::{Error, Result, told};

/// Files that say how to generate, the one that decides first.
const CONFIGS: [&str; 2] = ["generation_config.json", "config.json"];

/// A checkpoint's folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    weights: PathBuf,
}

impl Folder {
    /// The folder itself, or the one that holds the weights file.
    pub fn of(weights: &Path) -> Self {
        let path = weights.parent().filter(|_| !weights.is_dir()).unwrap_or(weights);
        Self { path: path.to_path_buf(), weights: weights.to_path_buf() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self.path.as_os_str().is_empty() {
            true => Path::new("."),
            false => &self.path,
        }
    }

    /// Its tokenizer; without one, the vocabulary of the GGUF file that the weights are.
    ///
    /// # Errors
    /// If there is none that works.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        Tokenizer::of_weights(&self.weights).map_err(told)
    }

    /// A text file of it, if it is there.
    ///
    /// # Errors
    /// `io` if it cannot be read, `bad-text` if it is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<String>> {
        let path = self.path.join(name);
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
            .map_err(|error| Error::new("json-syntax", format!("`{}`: {error}", self.path.join(name).display())))
    }

    /// An id that a config gives; without one, what a GGUF file says under the same name.
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
        match key {
            "bos_token_id" => Ok(Ends::of_weights(&self.weights).map_err(told)?.start.into_iter().collect()),
            "eos_token_id" => Ok(Ends::of_weights(&self.weights).map_err(told)?.ends),
            _ => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gguf_file_brings_its_own_vocabulary() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tokenizer/tests/fixtures");
        let scratch = tempfile::tempdir().unwrap();
        let weights = scratch.path().join("model.gguf");
        std::fs::copy(fixtures.join("gguf/bpe_bytes.gguf"), &weights).unwrap();
        let folder = Folder::of(&weights);
        let ids = folder.tokenizer().unwrap().encode("a").unwrap();
        assert_eq!((ids.last(), folder.stop_ids().unwrap()), (Some(&2), vec![2]));
        assert_eq!(folder.number("bos_token_id").unwrap(), Some(1));

        // What lies beside it is the user's word, and decides.
        std::fs::copy(fixtures.join("word_list/vocab.txt"), scratch.path().join("vocab.txt")).unwrap();
        std::fs::write(scratch.path().join("config.json"), r#"{"eos_token_id": [7, 8]}"#).unwrap();
        assert_eq!(folder.tokenizer().unwrap().kind(), formwork_tokenizer::Kind::WordPiece);
        assert_eq!(folder.stop_ids().unwrap(), [7, 8]);
    }
}
