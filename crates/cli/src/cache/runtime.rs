//! Where generated crates find the runtime.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use formwork_codegen::Runtime;

use crate::problem::Problem;

/// The runtime's source folder, or its released version.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Path(PathBuf),
    Version(&'static str),
}

impl Source {
    /// The folder that was asked for; else the checkout that this tool was built from, if it still exists; else the version.
    pub(crate) fn find(asked: Option<&Path>) -> Result<Self, Problem> {
        if let Some(path) = asked {
            let path = fs::canonicalize(path).map_err(|e| Problem::io(path, &e))?;
            if !path.join("Cargo.toml").is_file() {
                return Err(Problem::wrong("no-runtime", format!("`{}` is no crate's folder", path.display())));
            }
            return Ok(Self::Path(path));
        }
        match fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../runtime")) {
            Ok(path) if path.join("Cargo.toml").is_file() => Ok(Self::Path(path)),
            _ => Ok(Self::Version(env!("CARGO_PKG_VERSION"))),
        }
    }

    /// The dependency as a manifest on this machine names it.
    pub(crate) fn dependency(&self) -> Runtime {
        match self {
            Self::Path(path) => Runtime::Path(path.display().to_string()),
            Self::Version(version) => Runtime::Version((*version).to_string()),
        }
    }

    /// The dependency of a crate in `folder`: relative where both are in one checkout.
    pub(crate) fn dependency_from(&self, folder: &Path) -> Runtime {
        let Self::Path(path) = self else {
            return self.dependency();
        };
        let workspace = path.parent().and_then(Path::parent);
        match (workspace, std::path::absolute(folder)) {
            (Some(workspace), Ok(folder)) => match (folder.strip_prefix(workspace), path.strip_prefix(workspace)) {
                (Ok(down), Ok(to)) => {
                    let up = "../".repeat(down.components().count());
                    Runtime::Path(format!("{up}{}", to.display()))
                }
                _ => self.dependency(),
            },
            _ => self.dependency(),
        }
    }

    /// Another crate of ours, where the runtime comes from.
    pub(crate) fn beside(&self, name: &str) -> Option<Self> {
        match self {
            Self::Path(path) => {
                let path = path.with_file_name(name);
                path.join("Cargo.toml").is_file().then_some(Self::Path(path))
            }
            Self::Version(version) => Some(Self::Version(version)),
        }
    }

    /// The lock file of the runtime's workspace, so that builds use the versions that it was tested with.
    pub(crate) fn lock_file(&self) -> Option<PathBuf> {
        let Self::Path(path) = self else { return None };
        path.ancestors().skip(1).take(3).map(|p| p.join("Cargo.lock")).find(|p| p.is_file())
    }

    /// Every file that decides how the runtime compiles: its own, and those of the crates beside it that it depends on.
    pub(crate) fn sources(&self) -> Result<Vec<PathBuf>, Problem> {
        let Self::Path(path) = self else {
            return Ok(Vec::new());
        };
        let mut out: Vec<PathBuf> = self.lock_file().into_iter().collect();
        collect(path, &mut BTreeSet::new(), &mut out).map_err(|e| Problem::io(path, &e))?;
        out.sort();
        Ok(out)
    }
}

/// `path /home/me/formwork/crates/runtime`, or `version 0.1.0`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "path {}", path.display()),
            Self::Version(version) => write!(f, "version {version}"),
        }
    }
}

fn collect(krate: &Path, seen: &mut BTreeSet<PathBuf>, out: &mut Vec<PathBuf>) -> io::Result<()> {
    if !seen.insert(krate.to_path_buf()) {
        return Ok(());
    }
    let manifest = krate.join("Cargo.toml");
    let text = fs::read_to_string(&manifest)?;
    out.push(manifest);
    rust_files(&krate.join("src"), out)?;
    for name in text.lines().filter_map(|line| line.strip_prefix("formwork-")) {
        let name = name.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))).next().unwrap_or_default();
        let sibling = krate.with_file_name(name);
        if sibling.join("Cargo.toml").is_file() {
            collect(&sibling, seen, out)?;
        }
    }
    Ok(())
}

fn rust_files(folder: &Path, out: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, out)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
    Ok(())
}
