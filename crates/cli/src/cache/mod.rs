//! Executables of generated crates, built once for each content and kept.
//!
//! `<cache>/crates/<key>` is a crate, `<cache>/bin/<key>` its executable, `<cache>/target` what all builds share: the runtime
//! is compiled once for all specs. One build runs at a time, under a lock.

mod cargo;
mod key;
mod runtime;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use formwork_codegen::{CrateOptions, crate_name};
use formwork_ir::Model;

use crate::output::note;
use crate::problem::Problem;

pub(crate) use runtime::Source;

/// How the crates of the cache are compiled: the runtime for speed, the model's own few lines to be ready soon.
const PROFILE: &str = "
[profile.release]
opt-level = 1
codegen-units = 64
incremental = false

[profile.release.package.\"*\"]
opt-level = 3
codegen-units = 16
";

/// The executable of a model's crate; builds it unless it is there.
pub(crate) fn executable(model: &Model, runtime: &Source, verbose: bool) -> Result<PathBuf, Problem> {
    let options = CrateOptions {
        name: crate_name(&model.name),
        spec: model.name.clone(),
        runtime: runtime.dependency(),
        text: None,
        standalone: true,
        member: false,
    };
    let mut files = formwork_codegen::generate(model).files(&options);
    if let Some(manifest) = files.get_mut("Cargo.toml") {
        manifest.push_str(PROFILE);
    }
    let key = key::of(&files, runtime)?;
    let cache = folder()?;
    let executable = cache.join("bin").join(format!("{key}{}", std::env::consts::EXE_SUFFIX));
    if verbose {
        note(&format!("runtime: {runtime}\nexecutable: {}", executable.display()));
    }
    if executable.is_file() {
        return Ok(executable);
    }
    let _lock = lock(&cache)?;
    if !executable.is_file() {
        let home = cache.join("crates").join(&key);
        crate::crates::write(&home, &files)?;
        if let Some(lock) = runtime.lock_file() {
            fs::copy(&lock, home.join("Cargo.lock")).map_err(|e| Problem::io(&lock, &e))?;
        }
        let built = cargo::build(&home, &cache.join("target"), &options.name)?;
        install(&built, &executable)?;
    }
    Ok(executable)
}

/// `$FORMWORK_CACHE`, else `$XDG_CACHE_HOME/formwork`, else `~/.cache/formwork`.
fn folder() -> Result<PathBuf, Problem> {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let xdg = || variable("XDG_CACHE_HOME").map(|p| p.join("formwork"));
    let home = || std::env::home_dir().map(|p| p.join(".cache/formwork"));
    let Some(folder) = variable("FORMWORK_CACHE").or_else(xdg).or_else(home) else {
        return Err(
            Problem::tool("no-cache", "there is no home folder to build in").help("set FORMWORK_CACHE to a folder")
        );
    };
    let folder = std::path::absolute(&folder).map_err(|e| Problem::io(&folder, &e))?;
    fs::create_dir_all(folder.join("bin")).map_err(|e| Problem::io(&folder, &e))?;
    Ok(folder)
}

fn lock(cache: &Path) -> Result<File, Problem> {
    let path = cache.join("lock");
    let io = |error: std::io::Error| Problem::io(&path, &error);
    let file = File::options().create(true).append(true).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            note("waiting for another build");
            file.lock().map_err(io)?;
        }
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    Ok(file)
}

/// Copies under a temporary name first: an executable of its name is always whole.
fn install(built: &Path, executable: &Path) -> Result<(), Problem> {
    let temporary = executable.with_extension("tmp");
    fs::copy(built, &temporary).map_err(|e| Problem::io(built, &e))?;
    fs::rename(&temporary, executable).map_err(|e| Problem::io(executable, &e))
}
