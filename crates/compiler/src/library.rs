//! The library that a spec reaches: the shipped standard library, and the one family file that it names.

use std::path::{Path, PathBuf};

use formwork_diag::{Diagnostic, Diagnostics, SourceMap};
use formwork_ir::{Library, STANDARD_FAMILY};
use formwork_syntax::ast::File;
use formwork_syntax::data::Data;
use formwork_syntax::parse_file;

use crate::{Options, deep};

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
    let reaches = |s: &&Shipped| {
        wanted.is_some_and(|w| s.families.contains(&w)) || model_type.is_some_and(|t| s.model_types.contains(&t))
    };
    // A name that nothing claims loads every family, so that the error can say what is near.
    let reached = STANDARD.iter().chain(FAMILIES).any(|s| reaches(&s));
    let needed = |s: &&Shipped| !reached || reaches(s);
    let standard = STANDARD.iter().filter(|s| s.families.is_empty() || needed(s));
    add_shipped(&mut library, standard.chain(FAMILIES.iter().filter(needed)), sources, &mut errors);
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
    add_shipped(&mut library, STANDARD.iter().chain(FAMILIES), sources, &mut errors);
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
    add_shipped(&mut library, STANDARD.iter().filter(|s| s.families.is_empty()), sources, &mut errors);
    user_families(&mut library, options, sources, files, &mut errors);
    library.add(tree, true, &mut errors);
    library.link(&mut errors);
    (library, errors)
}

/// Files of the binary; they are parsed side by side.
fn add_shipped<'a>(
    library: &mut Library,
    shipped: impl Iterator<Item = &'a Shipped>,
    sources: &mut SourceMap,
    errors: &mut Diagnostics,
) {
    let files: Vec<_> = shipped.map(|s| (sources.add(s.name, s.text), s.text)).collect();
    for (tree, found) in deep::each(&files, |(file, text)| parse_file(*file, text)) {
        errors.extend(found);
        library.add(tree, false, errors);
    }
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
                        Ok(text) => {
                            let file = sources.add(path.display().to_string(), text.as_str());
                            let (tree, found) = parse_file(file, &text);
                            errors.extend(found);
                            library.add(tree, true, errors);
                        }
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
