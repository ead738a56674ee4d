//! `compile`: specs to crates on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use formwork_codegen::{CrateOptions, Runtime, crate_name};
use formwork_diag::thousands;

use crate::args::{Compile, Global};
use crate::cache::Source;
use crate::crates::{self, Files};
use crate::output::{note, say};
use crate::problem::{Outcome, Problem};
use crate::{rustfmt, specs};

/// A crate that is ready to be written.
struct Ready {
    spec: PathBuf,
    files: Files,
    parameters: u128,
}

pub(super) fn run(options: &Compile, global: &Global) -> Outcome {
    let runtime = Source::find(options.runtime.as_deref())?;
    if global.verbose {
        note(&format!("runtime: {runtime}"));
    }
    // Everything compiles before anything is written.
    let mut ready: BTreeMap<PathBuf, Ready> = BTreeMap::new();
    for spec in &options.specs {
        let (folder, made) = make(spec, options, global, &runtime)?;
        if let Some(other) = ready.insert(folder.clone(), made) {
            let message =
                format!("`{}` and `{}` both give `{}`", other.spec.display(), spec.display(), folder.display());
            return Err(Problem::wrong("same-crate", message).help("give one of them another `name`"));
        }
    }
    if options.check { check(&ready) } else { write(&ready) }
}

fn make(spec: &Path, options: &Compile, global: &Global, runtime: &Source) -> Result<(PathBuf, Ready), Problem> {
    let model = specs::load(spec, global)?.model;
    let name = crate_name(&model.name);
    let folder = options.output.join(&name);
    let generated = formwork_codegen::generate(&model);
    let dependency = runtime.dependency_from(&folder);
    let in_workspace = matches!(&dependency, Runtime::Path(path) if Path::new(path).is_relative());
    let files = generated.files(&CrateOptions {
        name,
        spec: spec.display().to_string(),
        runtime: dependency,
        text: runtime.beside("text").map(|text| text.dependency_from(&folder)),
        standalone: options.standalone,
        member: in_workspace && !options.standalone,
    });
    let files = rustfmt::crate_files(files)?;
    Ok((folder, Ready { spec: spec.to_path_buf(), files, parameters: generated.parameters() }))
}

fn write(ready: &BTreeMap<PathBuf, Ready>) -> Outcome {
    for (folder, made) in ready {
        crates::write(folder, &made.files)?;
        let manifest = folder.join("Cargo.toml");
        say(&format!(
            "{}: {} files, {} parameters\n  next: cargo run --release --manifest-path {} -- help\n",
            folder.display(),
            made.files.len(),
            thousands(made.parameters),
            manifest.display(),
        ))?;
    }
    Ok(0)
}

fn check(ready: &BTreeMap<PathBuf, Ready>) -> Outcome {
    let mut stale = Vec::new();
    for (folder, made) in ready {
        let diff = crates::diff(folder, &made.files)?;
        if !diff.is_empty() {
            say(&diff)?;
            stale.push(made.spec.display().to_string());
        }
    }
    if stale.is_empty() {
        return Ok(0);
    }
    Err(Problem::wrong("stale-crate", format!("{} of {} crates differ from their specs", stale.len(), ready.len()))
        .help(format!("run `formwork compile {}`", stale.join(" "))))
}
