//! Puts the shipped specs into the binary, indexed by family and `model_type`, so that only what a spec reaches is parsed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../specs");
    println!("cargo:rerun-if-changed={}", root.display());
    let mut out = String::new();
    for (constant, folder) in [("STANDARD", "std"), ("FAMILIES", "families")] {
        writeln!(out, "static {constant}: &[Shipped] = &[").map_err(io::Error::other)?;
        for path in spec_files(&root.join(folder))? {
            println!("cargo:rerun-if-changed={}", path.display());
            let text = fs::read_to_string(&path)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let families = words_after(&text, "family ");
            let types = model_types(&text);
            writeln!(
                out,
                "    Shipped {{ name: {:?}, text: {text:?}, families: &{families:?}, model_types: &{types:?} }},",
                format!("{folder}/{name}")
            )
            .map_err(io::Error::other)?;
        }
        writeln!(out, "];").map_err(io::Error::other)?;
    }
    let target = PathBuf::from(env::var("OUT_DIR").unwrap_or_default()).join("shipped.rs");
    fs::write(target, out)
}

fn spec_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<io::Result<_>>()?;
    files.retain(|p| p.extension().is_some_and(|e| e == "fw"));
    files.sort();
    Ok(files)
}

/// The name after a head word at the start of a line.
fn words_after(text: &str, head: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|l| l.strip_prefix(head));
    lines.filter_map(|l| l.split_whitespace().next()).map(String::from).collect()
}

/// The strings of every `hf "a", "b" {` line.
fn model_types(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter_map(|l| l.strip_prefix("hf \""));
    lines
        .flat_map(|l| l.split('"').step_by(2))
        .map(|t| t.trim().to_string())
        .filter(|t| !t.is_empty() && !t.contains('{'))
        .collect()
}
