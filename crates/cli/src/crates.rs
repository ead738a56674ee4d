//! Generated crates on disk: written whole or not at all, never over somebody else's files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use similar::TextDiff;
use tempfile::TempDir;

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
    // Two runs take turns where the system locks folders; elsewhere the later one wins.
    let lock = fs::File::open(&parent).and_then(|parent| parent.lock().map(|()| parent));
    let result = replace(folder, fresh).map_err(|e| Problem::io(folder, &e));
    drop(lock);
    result
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
    if folder.is_symlink() {
        let message = format!("`{}` is a link, and what it leads to may be anybody's", folder.display());
        return Err(Problem::wrong("foreign-folder", message).help("give the folder that it leads to, or remove it"));
    }
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

/// The parts of a fresh crate take the places of the old ones; an error puts the old ones back. What else is in the folder is
/// not touched, so that nothing of the user's is ever elsewhere, whenever the process ends.
fn replace(folder: &Path, fresh: TempDir) -> io::Result<()> {
    if !folder.exists() {
        return fs::rename(fresh.keep(), folder);
    }
    let names = fs::read_dir(fresh.path())?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    let places = |name: &OsString| {
        let old = format!(".old-{}", name.to_string_lossy());
        (fresh.path().join(name), folder.join(name), fresh.path().join(old))
    };
    for (at, name) in names.iter().enumerate() {
        let (new, place, old) = places(name);
        if let Err(error) = exchange(&new, &place, &old) {
            for name in &names[..at] {
                let (new, place, old) = places(name);
                fs::rename(&place, new)?;
                if old.symlink_metadata().is_ok() {
                    fs::rename(old, place)?;
                }
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Puts `new` in its place and what was there aside, or leaves both as they are.
fn exchange(new: &Path, place: &Path, aside: &Path) -> io::Result<()> {
    let there = place.symlink_metadata().is_ok();
    if there {
        fs::rename(place, aside)?;
    }
    match fs::rename(new, place) {
        Err(error) if there => fs::rename(aside, place).and(Err(error)),
        result => result,
    }
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
