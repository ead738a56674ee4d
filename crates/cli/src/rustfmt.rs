//! Generated files through rustfmt, one way for everybody: the folder that they go to has no say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::problem::Problem;

/// Every file of a crate, those of Rust formatted, by one process: it takes longer to begin than to format.
pub(crate) fn crate_files(mut files: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Problem> {
    let folder = tempfile::tempdir().map_err(|error| Problem::io(&std::env::temp_dir(), &error))?;
    let mut rust: Vec<(PathBuf, &mut String)> = files
        .iter_mut()
        .filter(|(path, _)| path.ends_with(".rs"))
        .map(|(path, text)| (folder.path().join(path), text))
        .collect();
    for (path, text) in &rust {
        let parent = path.parent().unwrap_or(folder.path());
        fs::create_dir_all(parent).and_then(|()| fs::write(path, text)).map_err(|error| Problem::io(path, &error))?;
    }
    format(rust.iter().map(|(path, _)| path.as_path()))?;
    for (path, text) in &mut rust {
        **text = fs::read_to_string(&path).map_err(|error| Problem::io(path, &error))?;
    }
    Ok(files)
}

fn format<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<(), Problem> {
    let output = Command::new("rustfmt")
        .args(["--edition", "2024", "--quiet", "--config", "use_field_init_shorthand=true"])
        .args(paths)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            Problem::tool("rustfmt", format!("rustfmt cannot be run: {error}"))
                .help("install it with `rustup component add rustfmt`")
        })?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr).trim().to_string();
    Err(Problem::bug("rustfmt refuses the generated crate").note(why))
}
