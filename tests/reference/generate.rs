//! Compiles the spec of every reference fixture into one file: a module and a test for each.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use formwork_analysis::Questions;
use formwork_compiler::{Compiled, Options, load};
use quote::quote;

/// The fixtures, beside this crate's manifest.
const FOLDERS: [(&str, &str); 3] =
    [("fixtures/families", "family"), ("fixtures/knobs", "knob"), ("fixtures/examples", "example")];

/// Every module as text.
pub(crate) fn modules(manifest: &Path) -> Result<String, String> {
    let mut out = String::new();
    for (folder, prefix) in FOLDERS {
        println!("cargo::rerun-if-changed={folder}");
        let mut paths: Vec<PathBuf> = std::fs::read_dir(manifest.join(folder))
            .map_err(|e| format!("{folder}: {e}"))?
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|path| path.is_dir())
            .collect();
        paths.sort();
        for path in paths {
            module(&path, prefix, &mut out).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    Ok(out)
}

fn module(folder: &Path, prefix: &str, out: &mut String) -> Result<(), String> {
    let title = folder.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let name = format!("{prefix}_{}", title.replace('-', "_"));
    let compiled = compile(&spec_of(folder, title))?;
    let generated = formwork_codegen::generate(&compiled.model);
    let items = generated.tokens(&quote!(::formwork_runtime));
    let legacy = folder.join("config.legacy.json");
    let same = !legacy.exists() || same_code(&compiled, &compile(&legacy)?);
    let flops = flops(&compiled, folder)?;
    let entry = generated.entry();
    let test = format!(
        "#[test]\nfn agrees() {{\n    crate::check::<model::{entry}>({:?}, {flops:?}, {same});\n}}\n",
        folder.display().to_string()
    );
    writeln!(out, "/// `{title}`.\npub mod {name} {{\n{items}\n{test}}}").map_err(|e| e.to_string())
}

/// A fixture's own spec or config, else the example of its name.
fn spec_of(folder: &Path, title: &str) -> PathBuf {
    let own = ["spec.toml", "config.json"].map(|name| folder.join(name));
    let example = folder.join(format!("../../../../specs/examples/{title}.fw"));
    own.into_iter().find(|path| path.exists()).unwrap_or(example)
}

fn compile(spec: &Path) -> Result<Compiled, String> {
    load(spec, &Options::default()).map_err(|f| formwork_diag::render_all(&f.diagnostics, &f.sources, false))
}

/// Whether both spellings of a config give the same code, names aside.
fn same_code(a: &Compiled, b: &Compiled) -> bool {
    let code = |compiled: &Compiled| {
        let mut model = compiled.model.clone();
        model.name = "same".into();
        formwork_codegen::generate(&model).tokens(&quote!(rt)).to_string()
    };
    code(a) == code(b)
}

/// The analysis's forward FLOPs for the case's sizes.
fn flops(compiled: &Compiled, folder: &Path) -> Result<u128, String> {
    let text = std::fs::read_to_string(folder.join("meta.json")).map_err(|e| e.to_string())?;
    let number = |key: &str| -> Option<u128> {
        let at = text.find(&format!("\"{key}\":"))? + key.len() + 3;
        text[at..].trim_start().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let (batch, seq) = (number("batch").unwrap_or(1), number("seq").unwrap_or(1));
    let decoded = number("decoder_seq").unwrap_or(seq);
    let questions = Questions { batch, seq: decoded, source: Some(seq), ..Questions::default() };
    let report = formwork_analysis::report(&compiled.model, &questions).map_err(|e| e.to_string())?;
    Ok(report.flops.forward)
}
