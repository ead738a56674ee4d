//! `fmt`: `.fw` files in the one layout.

use std::path::{Path, PathBuf};

use formwork_compiler::Surface;
use formwork_diag::SourceMap;
use similar::TextDiff;

use crate::output::say;
use crate::problem::{Outcome, Problem};
use crate::replace;

pub(super) fn run(files: &[PathBuf], check: bool) -> Outcome {
    // All are read before any is written.
    let formatted = files.iter().map(|path| Ok((path, format(path)?))).collect::<Result<Vec<_>, Problem>>()?;
    let changed: Vec<_> = formatted.into_iter().filter(|(_, (old, new))| old != new).collect();
    for (path, (old, new)) in &changed {
        if check {
            let name = path.display().to_string();
            say(&TextDiff::from_lines(old.as_str(), new.as_str()).unified_diff().header(&name, &name).to_string())?;
        } else {
            replace::file(path, new)?;
        }
    }
    if check && !changed.is_empty() {
        let message = format!("{} of {} files have another layout", changed.len(), files.len());
        return Err(Problem::wrong("layout", message).help("run `formwork fmt` on them"));
    }
    Ok(0)
}

/// A file as it is and as it should be.
fn format(path: &Path) -> Result<(String, String), Problem> {
    let (text, surface) = formwork_compiler::read(path)?;
    if surface != Surface::Family {
        return Err(Problem::wrong("unknown-surface", format!("`{}` is no .fw file", path.display())));
    }
    let mut sources = SourceMap::default();
    let file = sources.add(path.display().to_string(), text.as_str());
    match formwork_syntax::format_source(file, &text) {
        Ok(new) => Ok((text, new)),
        Err(error) => Err(Problem { exit: 1, diagnostics: vec![error], sources }),
    }
}
