//! Finding and reading spec files.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use formwork_diag::{Diagnostic, Diagnostics, FileId, Span};
use formwork_syntax::MAX_FILE_BYTES;
use formwork_syntax::data::Data;

/// The surface that a spec is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// A TOML instance of a family.
    Instance,
    /// A whole family in the language, with defaults for every parameter.
    Family,
    /// A Hugging Face config.
    Config,
}

/// A spec that could not be read.
pub struct SourceError {
    pub(crate) diagnostic: Box<Diagnostic>,
    pub(crate) io: bool,
}

fn error(code: &'static str, message: String, io: bool) -> SourceError {
    SourceError { diagnostic: Box::new(Diagnostic::plain(code, message)), io }
}

/// The spec file that a path means, and its surface: a folder means the `config.json`, or the only `.toml` or `.fw`, in it.
///
/// # Errors
/// Returns why no spec file could be found.
pub fn locate(path: &Path) -> Result<(PathBuf, Surface), SourceError> {
    if path.is_dir() {
        return in_folder(path);
    }
    let surface = match path.extension().and_then(|e| e.to_str()) {
        Some("toml") => Surface::Instance,
        Some("fw") => Surface::Family,
        Some("json") => Surface::Config,
        _ => {
            if !path.exists() {
                return Err(error("unreadable-file", format!("there is no file `{}`", path.display()), true));
            }
            return Err(error(
                "unknown-surface",
                format!("`{}` is neither a .toml, a .fw, a .json nor a folder", path.display()),
                false,
            ));
        }
    };
    Ok((path.to_path_buf(), surface))
}

fn in_folder(folder: &Path) -> Result<(PathBuf, Surface), SourceError> {
    let config = folder.join("config.json");
    if config.is_file() {
        return Ok((config, Surface::Config));
    }
    let entries = std::fs::read_dir(folder)
        .map_err(|e| error("unreadable-file", format!("cannot read the folder `{}`: {e}", folder.display()), true))?;
    let mut found: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    found.retain(|p| p.extension().is_some_and(|e| e == "toml" || e == "fw"));
    match found.as_slice() {
        [only] => locate(only),
        [] => Err(error(
            "unreadable-file",
            format!("the folder `{}` holds no spec (config.json, .toml or .fw)", folder.display()),
            true,
        )),
        _ => Err(error(
            "unknown-surface",
            format!("the folder `{}` holds several specs; name one", folder.display()),
            false,
        )),
    }
}

/// A regular file's text, at most [`MAX_FILE_BYTES`].
pub(crate) fn read(path: &Path) -> Result<String, SourceError> {
    let fail = |why: String| error("unreadable-file", format!("cannot read `{}`: {why}", path.display()), true);
    let meta = std::fs::metadata(path).map_err(|e| fail(e.to_string()))?;
    if !meta.is_file() {
        return Err(fail("it is not a regular file".into()));
    }
    let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    if meta.len() > limit {
        return Err(error(
            "too-large",
            format!("`{}` has {} bytes; a spec may have {MAX_FILE_BYTES}", path.display(), meta.len()),
            false,
        ));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| fail(e.to_string()))?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| fail(e.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        error("not-utf8", format!("`{}` is not UTF-8 text from byte {at} on", path.display()), false)
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_string).unwrap_or(text))
}

/// The instance's name by its file: the stem, or the folder's name for a `config.json`.
pub(crate) fn title(path: &Path) -> String {
    let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or("model");
    let folder = path.parent().and_then(|p| p.file_name()).and_then(|s| s.to_str());
    match (stem, folder) {
        ("config" | "config.legacy" | "spec", Some(folder)) => folder.to_string(),
        _ => stem.to_string(),
    }
}

/// An instance that is empty, or holds comments alone.
pub(crate) fn nothing_set(file: FileId) -> Diagnostic {
    Diagnostic::new("empty-file", Span::new(file, 0, 0), "the file sets nothing")
        .help("an instance sets at least one size: `d_model = 512`")
}

/// The `name` of an instance.
pub(crate) fn instance_name(data: &Data) -> Result<Option<String>, Diagnostics> {
    match data.get("name") {
        None => Ok(None),
        Some(name) => match name.as_str() {
            Some(text)
                if !text.is_empty()
                    && text.len() <= 100
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) =>
            {
                Ok(Some(text.to_string()))
            }
            Some(_) => Err(vec![Diagnostic::new(
                "bad-name",
                name.span,
                "a name has 1 to 100 letters, digits, `-`, `_` and `.`",
            )]),
            None => Err(vec![Diagnostic::new(
                "type-mismatch",
                name.span,
                format!("`name` must be a string, not {}", name.describe()),
            )]),
        },
    }
}
