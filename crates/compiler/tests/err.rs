//! Wrong specs and the exact messages they get, as snapshots beside them; `INSTA_UPDATE=always` or `cargo insta` renews them.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use formwork_compiler::{Failure, Options, load};
use formwork_diag::{CODES, render_all};
use support::{assert_beside, files, in_root, short};

const FOLDER: &str = "tests/specs/err";

/// Codes that no case file can reach, and why.
const WITHOUT_CASE: &[(&str, &str)] = &[
    ("internal", "a bug of the compiler"),
    ("too-large", "the file would be larger than 1 MiB; see `hostile.rs`"),
    ("unreadable-file", "the file would have to be missing; see `hostile.rs`"),
];

/// Folders of cases that are about several codes.
const SEVERAL: &str = "several";

fn cases() -> Vec<PathBuf> {
    let mut all = files(Path::new(FOLDER), &["toml", "fw", "json", "txt"]);
    all.retain(|p| !p.components().any(|c| c.as_os_str() == "families"));
    all
}

fn folder_of(case: &Path) -> String {
    case.parent().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Compiles a wrong spec; the families of its folder are known to it.
fn failure(case: &Path) -> Failure {
    let families = case.with_file_name("families");
    let spec_path = if families.is_dir() { vec![families] } else { Vec::new() };
    let start = Instant::now();
    let result = load(case, &Options { spec_path, ..Options::default() });
    assert!(start.elapsed() < Duration::from_secs(2), "{} takes {:?}", case.display(), start.elapsed());
    result.err().unwrap_or_else(|| panic!("{} compiles", case.display()))
}

#[test]
fn messages_are_as_recorded() {
    in_root();
    insta::glob!("../../../tests/specs/err", "*/*.{toml,fw,json,txt}", |case| {
        let case = short(case);
        let failure = failure(&case);
        let codes: Vec<_> = failure.diagnostics.iter().map(|d| d.code).collect();
        let folder = folder_of(&case);
        assert!(folder == SEVERAL || codes.contains(&folder.as_str()), "{}: {codes:?}", case.display());
        let name = case.file_name().unwrap_or_default().to_string_lossy();
        assert_beside(&case, &name, &render_all(&failure.diagnostics, &failure.sources, false));
    });
}

#[test]
fn every_code_has_a_case() {
    in_root();
    let folders: BTreeSet<String> = cases().iter().map(|c| folder_of(c)).collect();
    for code in CODES {
        let excused = WITHOUT_CASE.iter().any(|(name, _)| *name == code.name);
        assert!(
            folders.contains(code.name) != excused,
            "`{}` needs a case, or a reason to have none, and not both",
            code.name
        );
    }
    for folder in folders.iter().filter(|f| *f != SEVERAL) {
        assert!(formwork_diag::code(folder).is_some(), "the folder `{folder}` is no code");
    }
}

#[test]
fn every_code_in_the_sources_is_explained_and_every_explained_code_is_used() {
    in_root();
    let mut words = BTreeSet::new();
    for krate in ["syntax", "ops", "ir", "compiler"] {
        for file in files(&Path::new("crates").join(krate).join("src"), &["rs"]) {
            let text = std::fs::read_to_string(&file).expect("a source file");
            words.extend(text.split('"').skip(1).map(str::to_string));
            for (at, _) in text.match_indices("Diagnostic::new(\"").chain(text.match_indices("Diagnostic::plain(\"")) {
                let code = text[at..].split('"').nth(1).unwrap_or_default();
                assert!(formwork_diag::code(code).is_some(), "`{code}` of {} is not explained", file.display());
            }
        }
    }
    for code in CODES {
        assert!(words.contains(code.name), "nothing uses `{}`", code.name);
    }
}
