//! The one layout of `.fw` text.
//!
//! Works on tokens, so that comments survive: the author's line breaks stay, indentation follows the brackets, and spaces follow
//! each token's [role](roles::Role).

mod roles;
mod tokens;

use formwork_diag::{Diagnostic, FileId};

use crate::parse::parse_file;
use crate::split::split;
use roles::{Piece, Role, pieces};

/// Spaces of one level.
const INDENT: usize = 4;
/// Statements whose commas do not end a line's thought.
const LISTS: &[&str] = &["require", "ignore", "task", "hf", "repeat"];

/// A file in the one layout; formatting it again changes nothing, and it parses to the same tree.
///
/// # Errors
/// Returns the first syntax error of text that does not parse.
pub fn format_source(file: FileId, text: &str) -> Result<String, Diagnostic> {
    let (_, errors) = parse_file(file, text);
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    let items = split(text, file, 0, text.len())?;
    let pieces = pieces(&tokens::tokens(text.trim_start_matches('\u{feff}')));
    let offset = text.len() - text.trim_start_matches('\u{feff}').len();
    let starts: Vec<usize> = items.iter().map(|i| i.start.saturating_sub(offset)).collect();
    let mut page = Page { starts: item_starts(&pieces, &starts), ..Page::default() };
    for at in 0..pieces.len() {
        page.put(&pieces, at);
    }
    Ok(page.finish())
}

/// The first token of each item; comments on the lines right before belong to it.
fn item_starts(pieces: &[Piece<'_>], starts: &[usize]) -> Vec<usize> {
    let first = |start: &usize| {
        let mut at = pieces.iter().position(|p| p.token.start >= *start)?;
        while at > 0 && pieces[at - 1].role == Role::Comment && (at == 1 || pieces[at - 1].token.breaks > 0) {
            at -= 1;
        }
        Some(at)
    };
    starts.iter().filter_map(first).collect()
}

/// The text so far.
#[derive(Default)]
struct Page {
    out: String,
    /// Tokens that begin an item.
    starts: Vec<usize>,
    /// For each open bracket the indentation of its line.
    open: Vec<usize>,
    /// The current line's indentation.
    indent: usize,
    /// The first token of the statement, and how many brackets were open there.
    head: (String, usize),
}

impl Page {
    fn put(&mut self, pieces: &[Piece<'_>], at: usize) {
        let piece = &pieces[at];
        let previous = at.checked_sub(1).map(|p| &pieces[p]);
        match previous {
            None => self.begin(pieces, at),
            Some(before) if piece.token.breaks > 0 || before.role == Role::Comment => {
                let blank = match (self.starts.contains(&at), before.role, piece.role) {
                    (true, ..) => true,
                    (_, Role::OpenBrace | Role::Open | Role::OpenAttached, _)
                    | (.., Role::CloseBrace | Role::Close) => false,
                    _ => piece.token.breaks > 1,
                };
                self.out.push_str(if blank { "\n\n" } else { "\n" });
                self.begin(pieces, at);
            }
            Some(before) if is_spaced(before, piece) => self.out.push(' '),
            Some(_) => {}
        }
        self.out.push_str(piece.token.text);
        match piece.role {
            Role::Open | Role::OpenAttached | Role::OpenBrace => self.open.push(self.indent),
            Role::Close | Role::CloseBrace => {
                self.open.pop();
            }
            _ => {}
        }
    }

    /// Begins a line with its indentation.
    fn begin(&mut self, pieces: &[Piece<'_>], at: usize) {
        let piece = &pieces[at];
        let inside = self.open.last().map_or(0, |line| line + INDENT);
        let closes = matches!(piece.role, Role::Close | Role::CloseBrace);
        self.indent = match (closes, self.open.last()) {
            (true, Some(line)) => *line,
            _ if self.continues(pieces, at) => inside + INDENT,
            _ => {
                self.head = (piece.token.text.to_string(), self.open.len());
                inside
            }
        };
        self.out.extend(std::iter::repeat_n(' ', self.indent));
    }

    /// Whether a line goes on with the expression or list of the line before.
    fn continues(&self, pieces: &[Piece<'_>], at: usize) -> bool {
        let piece = &pieces[at];
        if piece.role == Role::Binary || ["because", "as"].iter().any(|w| piece.token.is(w)) {
            return true;
        }
        let before = pieces[..at].iter().rev().find(|p| p.role != Role::Comment);
        before.is_some_and(|p| match p.role {
            Role::Binary => true,
            Role::Comma => self.head.1 == self.open.len() && LISTS.contains(&self.head.0.as_str()),
            _ => false,
        })
    }

    fn finish(mut self) -> String {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }
}

/// Whether a space stands between two tokens of a line.
fn is_spaced(before: &Piece<'_>, after: &Piece<'_>) -> bool {
    match (before.role, after.role) {
        (_, Role::Comment) => true,
        (Role::OpenBrace, Role::CloseBrace) => false,
        (Role::Prefix | Role::Tight | Role::Open | Role::OpenAttached, _) => false,
        (_, Role::Comma | Role::Colon | Role::Postfix | Role::Tight | Role::Close | Role::OpenAttached) => false,
        _ => true,
    }
}
