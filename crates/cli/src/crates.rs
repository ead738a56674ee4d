//! Generated crates on disk: written whole or not at all, never over somebody else's files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use similar::TextDiff;

use crate::problem::Problem;

/// How a manifest of ours ends its description.
const MARK: &str = ", compiled by Formwork\"";

/// Files of a crate by path.
pub(crate) type Files = BTreeMap<String, String>;

/// Puts a crate in place. Of an older one, `src` and `Cargo.toml` are replaced; everything else in its folder stays.
pub(crate) fn write(folder: &Path, files: &Files) -> Result<(), Problem> {
    refuse_foreign(folder)?;
    let parent = parent_of(folder);
    fs::create_dir_all(&parent).map_err(|e| Problem::io(&parent, &e))?;
    let fresh =
        tempfile::Builder::new().prefix(".formwork-").tempdir_in(&parent).map_err(|e| Problem::io(&parent, &e))?;
    let fill = || -> io::Result<()> {
        for (path, text) in files {
            let path = fresh.path().join(path);
            fs::create_dir_all(parent_of(&path))?;
            fs::write(path, text)?;
        }
        allow_others(fresh.path())
    };
    fill().map_err(|e| Problem::io(folder, &e))?;
    replace(folder, &fresh.keep()).map_err(|e| Problem::io(folder, &e))
}

/// Differences between a crate on disk and the files that it should have, as a unified diff; empty when it is fresh.
pub(crate) fn diff(folder: &Path, files: &Files) -> Result<String, Problem> {
    let mut out = String::new();
    for (path, text) in files {
        let place = folder.join(path);
        let old = match fs::read_to_string(&place) {
            Ok(old) => old,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Problem::io(&place, &error)),
        };
        if old != *text {
            let name = place.display().to_string();
            out += &TextDiff::from_lines(old.as_str(), text.as_str()).unified_diff().header(&name, &name).to_string();
        }
    }
    for stale in stale_sources(folder, files).map_err(|e| Problem::io(folder, &e))? {
        out += &format!("--- {}\n+++ /dev/null\n", folder.join(stale).display());
    }
    Ok(out)
}

/// Files under `src` that the crate no longer has.
fn stale_sources(folder: &Path, files: &Files) -> io::Result<Vec<String>> {
    let src = folder.join("src");
    if !src.is_dir() {
        return Ok(Vec::new());
    }
    let names = fs::read_dir(src)?.map(|e| Ok(format!("src/{}", e?.file_name().to_string_lossy())));
    let mut names = names.collect::<io::Result<Vec<String>>>()?;
    names.retain(|name| !files.contains_key(name));
    names.sort();
    Ok(names)
}

fn refuse_foreign(folder: &Path) -> Result<(), Problem> {
    let empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Problem::io(folder, &error)),
    };
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    if empty || manifest.contains(MARK) {
        return Ok(());
    }
    Err(Problem::wrong("foreign-folder", format!("`{}` holds files that Formwork did not make", folder.display()))
        .help("choose another folder with `-o DIR`, or remove this one"))
}

/// The folder changes places with the fresh one; an error leaves the old one where it was.
fn replace(folder: &Path, fresh: &Path) -> io::Result<()> {
    if !folder.exists() {
        return fs::rename(fresh, folder);
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let old = parent_of(folder).join(format!(".{name}.{}.old", std::process::id()));
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let target = fresh.join(entry.file_name());
        if entry.file_name() != "src" && !target.exists() {
            fs::rename(entry.path(), target)?;
        }
    }
    fs::rename(folder, &old)?;
    if let Err(error) = fs::rename(fresh, folder) {
        fs::rename(&old, folder)?;
        return Err(error);
    }
    fs::remove_dir_all(old)
}

/// A temporary folder is private to its maker; a crate is not.
fn allow_others(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
