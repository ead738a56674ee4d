//! Compiles random instances of the standard family, over all its knobs, into one file: a module and a test for each.

use std::fmt::Write as _;
use std::path::Path;

use formwork_analysis::Questions;
use formwork_compiler::{Options, Surface, load_text};
use formwork_ir::Model;
use quote::quote;

mod instance;
mod passes;
#[path = "../reference/generate.rs"]
mod reference;

fn main() {
    println!("cargo::rerun-if-changed=knobs");
    println!("cargo::rerun-if-changed=reference");
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let instances: Result<Vec<String>, String> = (0..instance::COUNT).map(module).collect();
    write("passes.rs", passes::modules());
    write("instances.rs", instances.map(|modules| modules.concat()));
    write("fixtures.rs", reference::modules(Path::new(&manifest)));
}

/// Puts generated text where the tests include it, or fails the build with what is wrong.
fn write(name: &str, text: Result<String, String>) {
    let folder = std::env::var_os("OUT_DIR").unwrap_or_default();
    let written = text.and_then(|text| std::fs::write(Path::new(&folder).join(name), text).map_err(|e| e.to_string()));
    if let Err(error) = written {
        println!("cargo::error={name}: {}", error.replace('\n', "\ncargo::error="));
    }
}

/// The model of an instance.
fn model(name: &str, spec: &str) -> Result<Model, String> {
    let compiled = load_text(&format!("{name}.toml"), spec, Surface::Instance, &Options::default());
    compiled.map(|c| c.model).map_err(|f| formwork_diag::render_all(&f.diagnostics, &f.sources, false))
}

/// One instance as a module with its test.
fn module(at: usize) -> Result<String, String> {
    let (spec, name) = (instance::spec(at), format!("instance_{at}"));
    let model = model(&name, &spec)?;
    let generated = formwork_codegen::generate(&model);
    let report = formwork_analysis::report(&model, &Questions::default()).map_err(|e| e.to_string())?;
    let (params, buffers) = (report.params.total, report.params.buffers);
    let mut out = String::new();
    let items = generated.tokens(&quote!(::formwork_runtime));
    let entry = generated.entry();
    let test =
        format!("#[test]\nfn holds() {{\n    crate::check::<model::{entry}>({spec:?}, {params}, {buffers});\n}}\n");
    writeln!(out, "/// Instance {at}.\npub mod {name} {{\n{items}\n{test}}}").map_err(|e| e.to_string())?;
    Ok(out)
}
