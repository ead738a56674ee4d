//! Source map, spans and diagnostics.
//!
//! A [`Diagnostic`] is the user's fault and carries a code, the place that is wrong, the place the other side came from,
//! and advice. The same text appears on a terminal, inside a macro's `compile_error!` and in tests.

mod codes;
mod digits;
mod nearest;
mod render;
mod source;

pub use codes::{CODES, Code, code};
pub use digits::{grouped, thousands};
pub use nearest::{did_you_mean, nearest};
pub use render::{render, render_all, to_json};
pub use source::{FileId, SourceFile, SourceMap, Span};

/// A labelled place in a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What stands there, short because the label points at it.
    pub text: String,
}

/// One finding about the user's input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kebab-case code, an entry of [`CODES`].
    pub code: &'static str,
    /// True on its own, lowercase, without advice or a final period.
    pub message: String,
    /// What is wrong here.
    pub primary: Option<Label>,
    /// Where the other side came from.
    pub secondary: Vec<Label>,
    /// Facts that have no place in a file.
    pub notes: Vec<String>,
    /// Advice, as text to type.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic that points at `span`.
    ///
    /// The message style is asserted in debug builds: lowercase start, no final period, a known code.
    pub fn new(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        let mut it = Self::plain(code, message);
        it.primary = Some(Label { span, text: String::new() });
        it
    }

    /// A diagnostic without a place (a missing file, a bad argument).
    pub fn plain(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        debug_assert!(codes::code(code).is_some(), "the code `{code}` is not in the table");
        debug_assert!(!message.ends_with('.'), "message ends with a period: {message}");
        debug_assert!(
            !message.chars().next().is_some_and(char::is_uppercase),
            "message starts with a capital: {message}"
        );
        Self { code, message, primary: None, secondary: Vec::new(), notes: Vec::new(), help: None }
    }

    /// Says what stands at the primary place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.text = text.into();
        }
        self
    }

    /// Adds where the other side came from.
    #[must_use]
    pub fn because(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Adds advice where there is some.
    #[must_use]
    pub fn maybe_help(mut self, text: Option<String>) -> Self {
        self.help = text.or(self.help);
        self
    }
}

/// All findings of a failed stage.
pub type Diagnostics = Vec<Diagnostic>;

/// Sorts by file position and drops exact repeats, so that output is stable.
pub fn normalise(diagnostics: &mut Diagnostics) {
    diagnostics.sort_by_key(|d| d.primary.as_ref().map(|l| (l.span.file, l.span.start, l.span.end)));
    diagnostics.dedup();
}
