//! The library that a spec reaches: the shipped standard library, and the one family file that it names.

use std::path::{Path, PathBuf};

use formwork_diag::{Diagnostic, Diagnostics, SourceMap};
use formwork_ir::{Library, STANDARD_FAMILY};
use formwork_syntax::ast::File;
use formwork_syntax::data::Data;
use formwork_syntax::parse_file;

use crate::Options;

/// A spec file inside the binary.
struct Shipped {
    name: &'static str,
    text: &'static str,
    families: &'static [&'static str],
    model_types: &'static [&'static str],
}

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// Everything that an instance or a config may refer to.
///
/// # Errors
/// Returns syntax errors of the user's own family files.
pub fn library_for(
    data: &Data,
    options: &Options,
    sources: &mut SourceMap,
    files: &mut Vec<PathBuf>,
) -> Result<Library, Diagnostics> {
    let mut errors = Diagnostics::new();
    let mut library = Library::default();
    let family = data.get("family").and_then(Data::as_str);
    let model_type = data.get("model_type").and_then(Data::as_str);
    let is_config = model_type.is_some() || data.get("architectures").is_some();
    let wanted = family.or((!is_config).then_some(STANDARD_FAMILY));
    standard(&mut library, wanted, sources, &mut errors);
    let reaches = |s: &Shipped| {
        wanted.is_some_and(|w| s.families.contains(&w)) || model_type.is_some_and(|t| s.model_types.contains(&t))
    };
    let reached = FAMILIES.iter().any(reaches) || wanted.is_some_and(|w| library.family(w).is_some());
    if !reached {
        for shipped in STANDARD.iter().filter(|s| !s.families.is_empty()) {
            add_text(&mut library, shipped.name, shipped.text, false, sources, &mut errors);
        }
    }
    // A name that nothing claims loads every family, so that the error can say what is near.
    for shipped in FAMILIES.iter().filter(|s| !reached || reaches(s)) {
        add_text(&mut library, shipped.name, shipped.text, false, sources, &mut errors);
    }
    user_families(&mut library, options, sources, files, &mut errors);
    library.link(&mut errors);
    if errors.is_empty() { Ok(library) } else { Err(errors) }
}

/// Every family: those inside the binary and the user's.
///
/// # Errors
/// Returns syntax errors of the user's own family files.
pub fn whole_library(
    options: &Options,
    sources: &mut SourceMap,
    files: &mut Vec<PathBuf>,
) -> Result<Library, Diagnostics> {
    let mut errors = Diagnostics::new();
    let mut library = Library::default();
    for shipped in STANDARD.iter().chain(FAMILIES) {
        add_text(&mut library, shipped.name, shipped.text, false, sources, &mut errors);
    }
    user_families(&mut library, options, sources, files, &mut errors);
    library.link(&mut errors);
    if errors.is_empty() { Ok(library) } else { Err(errors) }
}

/// The standard library and a user's own file.
pub(crate) fn with_file(
    tree: File,
    options: &Options,
    sources: &mut SourceMap,
    files: &mut Vec<PathBuf>,
) -> (Library, Diagnostics) {
    let mut errors = Diagnostics::new();
    let mut library = Library::default();
    standard(&mut library, None, sources, &mut errors);
    user_families(&mut library, options, sources, files, &mut errors);
    library.add(tree, true, &mut errors);
    library.link(&mut errors);
    (library, errors)
}

/// Files of the standard library; the standard family's only where it is asked for.
fn standard(library: &mut Library, wanted: Option<&str>, sources: &mut SourceMap, errors: &mut Diagnostics) {
    let needed = |s: &&Shipped| s.families.is_empty() || wanted.is_some_and(|w| s.families.contains(&w));
    for shipped in STANDARD.iter().filter(needed) {
        add_text(library, shipped.name, shipped.text, false, sources, errors);
    }
}

fn add_text(
    library: &mut Library,
    name: &str,
    text: &str,
    shadow: bool,
    sources: &mut SourceMap,
    errors: &mut Diagnostics,
) {
    let file = sources.add(name, text);
    let (tree, found) = parse_file(file, text);
    errors.extend(found);
    library.add(tree, shadow, errors);
}

fn user_families(
    library: &mut Library,
    options: &Options,
    sources: &mut SourceMap,
    files: &mut Vec<PathBuf>,
    errors: &mut Diagnostics,
) {
    for folder in &options.spec_path {
        match family_files(folder) {
            Ok(paths) => {
                for path in paths {
                    match crate::source::read(&path) {
                        Ok(text) => add_text(library, &path.display().to_string(), &text, true, sources, errors),
                        Err(error) => errors.push(*error.diagnostic),
                    }
                    files.push(path);
                }
            }
            Err(error) => errors.push(Diagnostic::plain(
                "unreadable-file",
                format!("cannot read the folder `{}`: {error}", folder.display()),
            )),
        }
    }
}

fn family_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?;
    let mut files: Vec<PathBuf> = entries.map(|e| e.map(|e| e.path())).collect::<std::io::Result<_>>()?;
    files.retain(|p| p.extension().is_some_and(|e| e == "fw"));
    files.sort();
    Ok(files)
}
