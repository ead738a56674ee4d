//! What ends a command: findings with the sources that they point into, and an exit status.

use std::path::Path;

use formwork_compiler::Failure;
use formwork_diag::{Diagnostic, Diagnostics, SourceMap};

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) exit: u8,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) sources: SourceMap,
}

/// A command's result: its exit status, or what went wrong.
pub(crate) type Outcome = Result<u8, Problem>;

impl Problem {
    /// Wrong input: exit status 1.
    pub(crate) fn wrong(code: &'static str, message: impl Into<String>) -> Self {
        Self::of(1, finding(code, message))
    }

    /// A wrong command line: exit status 2.
    pub(crate) fn usage(code: &'static str, message: impl Into<String>) -> Self {
        Self::of(2, finding(code, message))
    }

    /// A file that cannot be read or written: exit status 4.
    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::of(4, finding("io", format!("`{}`: {error}", path.display())))
    }

    /// A tool that cannot be used: exit status 4.
    pub(crate) fn tool(code: &'static str, message: impl Into<String>) -> Self {
        Self::of(4, finding(code, message))
    }

    /// Formwork's own fault: exit status 70.
    pub(crate) fn bug(message: impl Into<String>) -> Self {
        Self::of(crate::BUG, finding("internal", message))
    }

    fn of(exit: u8, diagnostic: Diagnostic) -> Self {
        Self { exit, diagnostics: vec![diagnostic], sources: SourceMap::default() }
    }

    /// Adds advice to the last finding.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        if let Some(last) = self.diagnostics.last_mut() {
            last.help = Some(help.into());
        }
        self
    }

    /// Adds a fact to the last finding.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        if let Some(last) = self.diagnostics.last_mut() {
            last.notes.push(note.into());
        }
        self
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let exit = if failure.io { 4 } else { 1 };
        Self { exit, diagnostics: failure.diagnostics, sources: failure.sources }
    }
}

impl From<formwork_runtime::Error> for Problem {
    fn from(error: formwork_runtime::Error) -> Self {
        let finding = finding(error.code, error.message).maybe_help(error.help);
        Self::of(error.exit, finding)
    }
}

impl From<formwork_tokenizer::Error> for Problem {
    fn from(error: formwork_tokenizer::Error) -> Self {
        Self::of(error.exit, finding(error.code, error.message))
    }
}

/// A finding without a place, under a code of the compiler, of the runtime or of this tool.
fn finding(code: &'static str, message: impl Into<String>) -> Diagnostic {
    debug_assert!(crate::codes::all().iter().any(|(name, _)| *name == code), "the code `{code}` is not explained");
    Diagnostic { code, message: message.into(), primary: None, secondary: Vec::new(), notes: Vec::new(), help: None }
}
