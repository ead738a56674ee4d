//! The name of a build: a digest of everything that decides it.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::cache::Source;
use crate::problem::Problem;

/// Hex digits of a key.
const DIGITS: usize = 32;

/// The key of a crate with this runtime.
pub(crate) fn of(files: &BTreeMap<String, String>, runtime: &Source) -> Result<String, Problem> {
    let mut hash = Sha256::new();
    let mut add = |name: &str, content: &[u8]| {
        for part in [name.as_bytes(), content] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    };
    add("version", env!("CARGO_PKG_VERSION").as_bytes());
    add("runtime", runtime.to_string().as_bytes());
    for (path, text) in files {
        add(path, text.as_bytes());
    }
    for path in runtime.sources()? {
        let content = std::fs::read(&path).map_err(|e| Problem::io(&path, &e))?;
        add(&path.display().to_string(), &content);
    }
    let mut key: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    key.truncate(DIGITS);
    Ok(key)
}
