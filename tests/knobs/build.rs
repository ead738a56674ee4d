//! Compiles random instances of the standard family, over all its knobs, into one file: a module and a test for each.

use std::fmt::Write as _;
use std::path::Path;

use formwork_compiler::{Options, Surface, load_text};
use formwork_ops::Role;
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
    let total = |role: Role| -> u64 {
        let entries = formwork_ir::parameters(&compiled.model);
        let counted = entries.iter().filter(|p| p.role == role && p.shared.is_none());
        counted.map(|p| p.numel().constant().and_then(|n| u64::try_from(n).ok()).unwrap_or(0) * p.copies() as u64).sum()
    };
    let mut out = String::new();
    let items = generated.tokens(&quote!(::formwork_runtime));
    let (params, buffers, entry) = (total(Role::Param), total(Role::Buffer), generated.entry());
    let test = format!("#[test]\nfn holds() {{\n    crate::check::<model::{entry}>({spec:?}, {params}, {buffers});\n}}\n");
    writeln!(out, "/// Instance {at}.\npub mod {name} {{\n{items}\n{test}}}").map_err(|e| e.to_string())?;
    Ok(out)
}
