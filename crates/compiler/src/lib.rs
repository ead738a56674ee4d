//! Formwork's pipeline on one page.
//!
//! [`load`] reads a spec of any surface and gives the typed model; every front door (the CLI, the macros, tests) goes through it.
//! Each stage is one call; no stage's logic lives here.

mod deep;
mod library;
mod recovery;
mod source;

use std::path::{Path, PathBuf};

use formwork_diag::{Diagnostic, Diagnostics, FileId, SourceMap, Span};
use formwork_ir::{Arguments, Library, Model};

pub use library::{library_for, whole_library};
pub use source::{Surface, locate};

/// How a spec is found and entered.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The entry point; else the instance's own, else as `architectures` says, else the family's first.
    pub task: Option<String>,
    /// Folders with families of the user.
    pub spec_path: Vec<PathBuf>,
}

/// A spec that compiled.
#[derive(Debug)]
pub struct Compiled {
    /// Every file that was read.
    pub sources: SourceMap,
    /// Files on disk that decide the result, for rebuild tracking.
    pub files: Vec<PathBuf>,
    /// The typed model.
    pub model: Model,
}

/// A spec that did not compile.
#[derive(Debug)]
pub struct Failure {
    /// Every file that was read.
    pub sources: SourceMap,
    /// Files on disk that were read.
    pub files: Vec<PathBuf>,
    /// What is wrong.
    pub diagnostics: Diagnostics,
    /// Whether a file could not be read at all (exit status 4 instead of 1).
    pub io: bool,
}

/// Reads, checks and elaborates a spec: a `.toml`, a `.fw`, a `config.json`, or a folder that holds one.
///
/// # Errors
/// Returns every diagnostic together with the sources they point into.
pub fn load(path: &Path, options: &Options) -> Result<Compiled, Failure> {
    deep::call(|| {
        let mut job = Job::default();
        let result = job.run(path, options);
        job.end(result)
    })
}

/// The text and the surface of the spec file that a path means, as [`load`] finds it.
///
/// # Errors
/// Returns why there is none, or why it cannot be read.
pub fn read(path: &Path) -> Result<(String, Surface), Failure> {
    let found = locate(path).and_then(|(file, surface)| Ok((source::read(&file)?, surface)));
    found.map_err(|error| {
        let mut job = Job::default();
        let diagnostics = job.failed(error);
        Failure { sources: job.sources, files: job.files, diagnostics, io: job.io }
    })
}

/// Compiles spec text that is not in a file of its own, e.g. inside a macro.
///
/// # Errors
/// As [`load`].
pub fn load_text(name: &str, text: &str, surface: Surface, options: &Options) -> Result<Compiled, Failure> {
    deep::call(|| {
        let mut job = Job::default();
        let result = job.text(name, text, surface, options);
        job.end(result)
    })
}

/// What a run has read so far.
#[derive(Default)]
struct Job {
    sources: SourceMap,
    files: Vec<PathBuf>,
    io: bool,
}

impl Job {
    fn end(self, result: Result<Model, Diagnostics>) -> Result<Compiled, Failure> {
        match result {
            Ok(model) => Ok(Compiled { sources: self.sources, files: self.files, model }),
            Err(diagnostics) => Err(Failure { sources: self.sources, files: self.files, diagnostics, io: self.io }),
        }
    }

    fn run(&mut self, path: &Path, options: &Options) -> Result<Model, Diagnostics> {
        let (file, surface) = locate(path).map_err(|error| self.failed(error))?;
        let text = source::read(&file).map_err(|error| self.failed(error))?;
        self.files.push(file.clone());
        self.text(&file.display().to_string(), &text, surface, options)
    }

    /// source -> tree -> family and arguments -> typed model.
    fn text(&mut self, name: &str, text: &str, surface: Surface, options: &Options) -> Result<Model, Diagnostics> {
        let file = self.sources.add(name, text);
        let title = source::title(Path::new(name));
        match surface {
            Surface::Instance => {
                let data = formwork_syntax::read_toml(file, text).map_err(|e| vec![e])?;
                if data.entries().is_empty() {
                    return Err(vec![source::nothing_set(file)]);
                }
                let library = self.library(&data, options)?;
                let family = formwork_ir::family_of_instance(&library, &data).map_err(|e| vec![e])?;
                let title = source::instance_name(&data)?.unwrap_or(title);
                formwork_ir::apply(&library, family, Arguments::Instance(&data), &title, options.task.as_deref())
            }
            Surface::Config => {
                let data = formwork_syntax::read_json(file, text).map_err(|e| vec![e])?;
                let library = self.library(&data, options)?;
                let family = formwork_ir::family_of_config(&library, &data).map_err(|e| vec![e])?;
                formwork_ir::apply(&library, family, Arguments::Config(&data), &title, options.task.as_deref())
            }
            Surface::Family => {
                let (tree, mut errors) = formwork_syntax::parse_file(file, text);
                let broken = tree.broken.clone();
                let model = self.own_family(file, tree, options).and_then(|(library, family)| {
                    formwork_ir::apply(&library, &family, Arguments::Defaults, &title, options.task.as_deref())
                });
                if errors.is_empty() {
                    return model;
                }
                errors.extend(recovery::independent(model, &broken, &self.sources));
                Err(errors)
            }
        }
    }

    fn library(&mut self, data: &formwork_syntax::data::Data, options: &Options) -> Result<Library, Diagnostics> {
        library_for(data, options, &mut self.sources, &mut self.files)
    }

    fn failed(&mut self, error: source::SourceError) -> Diagnostics {
        self.io |= error.io;
        vec![*error.diagnostic]
    }

    fn own_family(
        &mut self,
        file: FileId,
        tree: formwork_syntax::ast::File,
        options: &Options,
    ) -> Result<(Library, std::rc::Rc<formwork_syntax::ast::Family>), Diagnostics> {
        if tree.items.is_empty() {
            return Err(vec![Diagnostic::new("empty-file", Span::new(file, 0, 0), "the file declares nothing")]);
        }
        let name = tree.items.iter().find_map(|item| match item {
            formwork_syntax::ast::Item::Family(family) => Some(family.name.text.clone()),
            formwork_syntax::ast::Item::Part(_) | formwork_syntax::ast::Item::Shared(_) => None,
        });
        let (library, errors) = library::with_file(tree, options, &mut self.sources, &mut self.files);
        if !errors.is_empty() {
            return Err(errors);
        }
        let family = name.as_deref().and_then(|n| library.family(n)).cloned();
        match family {
            Some(family) => Ok((library, family)),
            None => Err(vec![
                Diagnostic::new("no-family", Span::new(file, 0, 1), "the file declares no family")
                    .help("wrap it: `family name { .. }`"),
            ]),
        }
    }
}
