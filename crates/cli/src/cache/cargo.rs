//! Building a crate of the cache with cargo.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use indicatif::ProgressBar;

use crate::output::note;
use crate::problem::Problem;

/// Settings of the caller's own builds, which have no business in these.
const FOREIGN: &[&str] = &[
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_MAKEFLAGS",
    "MAKEFLAGS",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
];

/// Builds the crate in `home`; gives the path of its executable.
pub(crate) fn build(home: &Path, target: &Path, name: &str) -> Result<PathBuf, Problem> {
    let program = std::env::var_os("CARGO").filter(|v| !v.is_empty()).unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(&program);
    command.args(["build", "--release", "--quiet"]).current_dir(home).env("CARGO_TARGET_DIR", target);
    for variable in FOREIGN {
        command.env_remove(variable);
    }
    let progress = progress(name);
    let output = command.stdin(Stdio::null()).output();
    progress.finish_and_clear();
    let output = output.map_err(|error| {
        Problem::tool("no-cargo", format!("cargo cannot be run: {error}")).help(
            "models run as compiled crates: install Rust from https://rustup.rs, or set CARGO to the path of cargo",
        )
    })?;
    if !output.status.success() {
        return Err(failure(home, &String::from_utf8_lossy(&output.stderr)));
    }
    Ok(target.join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

/// A crate that does not compile is a bug; one whose dependencies cannot be had is not.
fn failure(home: &Path, stderr: &str) -> Problem {
    let what = format!("the crate in `{}` does not build", home.display());
    if stderr.contains("error[E") || stderr.contains("could not compile") {
        return Problem::bug(what).note(stderr.trim()).help("please report it with the spec");
    }
    Problem::tool("build-failed", what).note(stderr.trim())
}

/// A spinner on a terminal, else one line.
fn progress(name: &str) -> ProgressBar {
    let text = format!("building {name} (once; the first build also compiles the runtime)");
    if !std::io::stderr().is_terminal() {
        note(&text);
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner().with_message(text);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}
