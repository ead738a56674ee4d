//! The crates under `generated/`, and that a crate's arithmetic is its own source.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{fixture, formwork, ran, root};

/// The specs whose crates are checked in.
const FLAGSHIPS: [&str; 6] = [
    "specs/tiny.toml",
    "specs/models/bert-base-uncased.toml",
    "specs/models/gpt2.toml",
    "specs/models/llama-3-8b.toml",
    "specs/models/stories-260k.toml",
    "specs/models/t5-small.toml",
];

#[test]
fn checked_in_crates_are_fresh_and_none_is_orphaned() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_formwork"));
    command.current_dir(root()).args(["compile", "--check"]).args(FLAGSHIPS);
    let fresh = ran(&mut command);
    assert_eq!(
        fresh.status,
        0,
        "run `cargo run --release -- compile {}`\n{}{}",
        FLAGSHIPS.join(" "),
        fresh.out,
        fresh.err
    );
    let stem = |path: &str| Path::new(path).file_stem().unwrap().to_str().unwrap().to_string();
    let mut expected: Vec<String> = FLAGSHIPS.iter().map(|spec| stem(spec)).collect();
    expected.sort();
    let folders = fs::read_dir(root().join("generated")).unwrap();
    let mut found: Vec<String> = folders.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, expected, "a folder of `generated/` belongs to no spec");
}

#[test]
fn two_sizes_differ_in_their_numbers_only() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    for (name, d_model) in [("small", 64), ("large", 128)] {
        let spec = folder.path().join(format!("{name}.toml"));
        fs::write(&spec, format!("d_model = {d_model}\nn_layers = {}\n", d_model / 16)).unwrap();
        assert_eq!(formwork(&["compile", spec.to_str().unwrap(), "-o", out]).status, 0);
    }
    for file in ["src/layers.rs", "src/weights.rs"] {
        let text = |name: &str| fs::read_to_string(folder.path().join(name).join(file)).unwrap();
        assert_eq!(text("small").replace("small", "large"), text("large"), "{file}");
    }
}

#[test]
fn an_edited_operator_changes_the_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let (out, fixture) = (folder.path().to_str().unwrap(), fixture("knobs/gqa_window"));
    assert_eq!(formwork(&["compile", &fixture, "-o", out, "--standalone"]).status, 0);
    let home = folder.path().join("gqa-window");
    fs::copy(root().join("Cargo.lock"), home.join("Cargo.lock")).unwrap();
    let verify = || {
        let mut command = Command::new(env!("CARGO"));
        command
            .args(["run", "--quiet", "--manifest-path"])
            .arg(home.join("Cargo.toml"))
            .args(["--", "verify", "--weights", &fixture, "--input"])
            .arg(format!("{fixture}/case.safetensors"))
            .env("CARGO_TARGET_DIR", env!("CARGO_TARGET_TMPDIR"));
        ran(&mut command)
    };
    let as_compiled = verify();
    assert_eq!(as_compiled.status, 0, "{}{}", as_compiled.out, as_compiled.err);
    let layers = home.join("src/layers.rs");
    let text = fs::read_to_string(&layers).unwrap();
    let (own, swapped) = ("self.ffn_norm.deferred(&x)", "self.attn_norm.deferred(&x)");
    assert!(text.contains(own), "{text}");
    fs::write(&layers, text.replacen(own, swapped, 1)).unwrap();
    let edited = verify();
    assert_eq!(edited.status, 3, "{}{}", edited.out, edited.err);
    assert!(edited.err.contains("hidden_states.1"), "the first layer is named: {}", edited.err);
}

/// The block of the README that begins so.
fn readme_block(start: &str) -> String {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let block = readme.split("```").find(|block| block.starts_with(start)).unwrap_or_else(|| panic!("no `{start}`"));
    block.split_once('\n').unwrap().1.trim_end().to_string()
}

#[test]
fn the_readme_shows_what_the_tool_gives() {
    let layers = fs::read_to_string(root().join("generated/tiny/src/layers.rs")).unwrap();
    let code = readme_block("rust\n/// Two matrices");
    assert!(layers.contains(&code), "{code}");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.toml"), readme_block("toml\nname = \"tiny\"") + "\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_formwork"));
    let wrong = ran(command.current_dir(folder.path()).args(["check", "tiny.toml"]));
    assert!(wrong.err.contains(&readme_block("text\nerror[not-divisible]")), "{}", wrong.err);
}
