//! Compiles random instances of the standard family, over all its knobs, into one file: a module and a test for each.

use std::fmt::Write as _;
use std::path::Path;

use formwork_analysis::Questions;
use formwork_compiler::{Options, Surface, load_text};
use quote::quote;

mod instance;

/// How many instances.
const COUNT: usize = 24;

fn main() {
    println!("cargo::rerun-if-changed=knobs");
    let mut text = String::new();
    for at in 0..COUNT {
        match module(at) {
            Ok(module) => text.push_str(&module),
            Err(error) => {
                println!("cargo::error={}", error.replace('\n', "\ncargo::error="));
                return;
            }
        }
    }
    let folder = std::env::var_os("OUT_DIR").unwrap_or_default();
    if let Err(error) = std::fs::write(Path::new(&folder).join("instances.rs"), text) {
        println!("cargo::error=instances.rs: {error}");
    }
}

/// One instance as a module with its test.
fn module(at: usize) -> Result<String, String> {
    let spec = instance::spec(at);
    let name = format!("instance_{at}");
    let compiled = load_text(&format!("{name}.toml"), &spec, Surface::Instance, &Options::default())
        .map_err(|f| formwork_diag::render_all(&f.diagnostics, &f.sources, false))?;
    let generated = formwork_codegen::generate(&compiled.model);
    let report = formwork_analysis::report(&compiled.model, &Questions::default()).map_err(|e| e.to_string())?;
    let (params, buffers) = (report.params.total, report.params.buffers);
    let mut out = String::new();
    let items = generated.tokens(&quote!(::formwork_runtime));
    let entry = generated.entry();
    let test = format!("#[test]\nfn holds() {{\n    crate::check::<model::{entry}>({spec:?}, {params}, {buffers});\n}}\n");
    writeln!(out, "/// Instance {at}.\npub mod {name} {{\n{items}\n{test}}}").map_err(|e| e.to_string())?;
    Ok(out)
}
