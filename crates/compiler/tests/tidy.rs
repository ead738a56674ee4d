//! Rules about the sources: no Rust file knows an architecture; files are short, explained and finished.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use support::{files, in_root};

const MAX_LINES: usize = 600;
const MAX_MEDIAN: usize = 150;

/// Rust files written by hand, with their texts.
fn sources() -> Vec<(PathBuf, String)> {
    in_root();
    let mut all = files(Path::new("crates"), &["rs"]);
    all.retain(|p| !p.components().any(|c| c.as_os_str() == "target" || c.as_os_str() == "generated"));
    let read = |p: PathBuf| {
        let text = std::fs::read_to_string(&p).expect("a source file");
        (p, text)
    };
    all.into_iter().map(read).collect()
}

fn in_tests(path: &Path) -> bool {
    path.components().any(|c| c.as_os_str() == "tests")
}

/// The file names of `specs/families` and the strings that their `hf` sections claim.
fn architectures() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in files(Path::new("specs/families"), &["fw"]) {
        names.extend(file.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        let text = std::fs::read_to_string(&file).expect("a family");
        for line in text.lines().map(str::trim).filter(|l| l.starts_with("hf \"")) {
            names.extend(line.split('"').skip(1).step_by(2).map(String::from));
        }
    }
    names
}

/// Names of files and modules that others chose and that hold such a word.
const FOREIGN: &[&str] = &["sentence_bert_config.json", "processors::bert::", "processors::roberta::"];
/// Architectures whose names are words of a compiler's trade as well.
const COMMON: &[&str] = &["codegen", "opt"];

/// Words of the code itself: identifiers and strings, comments left out (they cite papers).
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let code = text.lines().map(|line| line.find("//").map_or(line, |at| &line[..at]));
    code.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric()))
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
}

#[test]
fn no_rust_file_names_an_architecture() {
    in_root();
    let names = architectures();
    assert!(names.len() > 3, "the families name themselves");
    let mut found = Vec::new();
    for (path, text) in sources().iter().filter(|(p, _)| !in_tests(p)) {
        let text = FOREIGN.iter().fold(text.clone(), |text, name| text.replace(name, ""));
        for word in words(&text).filter(|w| names.contains(w) && !COMMON.contains(&w.as_str())) {
            found.push(format!("{} says `{word}`", path.display()));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn files_are_short_explained_and_finished() {
    let mut wrong = Vec::new();
    let mut lengths = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if !in_tests(&path) {
            lengths.push(lines);
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{} does not begin with `//!`", path.display()));
        }
        if lines > MAX_LINES {
            wrong.push(format!("{} has {lines} lines", path.display()));
        }
        let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("db", "g!(")];
        for mark in marks.iter().filter(|mark| text.contains(**mark)) {
            wrong.push(format!("{} holds `{mark}`", path.display()));
        }
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    if median > MAX_MEDIAN {
        wrong.push(format!("half of the files have more than {median} lines"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
