//! What the tests share: the repository's root as the working folder, and files of a folder.

use std::path::{Path, PathBuf};

/// Makes the repository's root the working folder, so that messages show short paths.
pub(crate) fn in_root() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::set_current_dir(root).expect("the repository's root");
}

/// Files below a folder with one of these extensions, sorted.
pub(crate) fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| extensions.iter().any(|x| *x == e)) {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}
