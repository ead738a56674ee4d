//! What the tests share: the repository's root as the working folder, files of a folder, snapshots beside them.
#![allow(dead_code, reason = "each test program uses a part")]

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

/// Holds a text to the snapshot `name.snap` beside the case. Called inside `insta::glob!`, which goes on after a difference.
pub(crate) fn assert_beside(case: &Path, name: &str, text: &str) {
    let folder = case.parent().expect("a case stands in a folder");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.remove_snapshot_suffix();
    settings.remove_input_file();
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// The path of a case as its messages show it: from the repository's root.
pub(crate) fn short(case: &Path) -> PathBuf {
    let root = std::env::current_dir().expect("a working folder");
    case.strip_prefix(root).unwrap_or(case).to_path_buf()
}
