//! Cuts a file into items, so that a mistake in one does not hide the next, and bounds nesting before any recursion.

use formwork_diag::{Diagnostic, FileId, Span};

/// Deepest nesting of brackets that is read.
const MAX_DEPTH: usize = 64;
/// Most operators of one item: bounds the depth of its expressions.
const MAX_ITEM_BYTES: usize = 64 * 1024;

/// A piece of source: `start..end`, and where its braces open and close, if it has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) start: usize,
    pub(crate) open: Option<usize>,
    pub(crate) close: Option<usize>,
    pub(crate) end: usize,
}

/// Words that begin an item or a family's member.
const HEADS: &[&str] = &[
    "family", "part", "include", "param", "let", "require", "model", "block", "fn", "record", "enum", "ignore", "keys",
    "hf", "weights", "gguf",
];

/// The items between `start` and `end`: a doc comment or a head word at depth 0 begins one.
pub(crate) fn split(text: &str, file: FileId, start: usize, end: usize) -> Result<Vec<Piece>, Diagnostic> {
    let bytes = text.as_bytes();
    let mut pieces: Vec<Piece> = Vec::new();
    let mut depth: Vec<usize> = Vec::new();
    let mut docs_start: Option<usize> = None;
    let mut at = start;
    while at < end {
        match bytes[at] {
            b'/' if text[at..end].starts_with("//") => {
                let is_doc = text[at..end].starts_with("///");
                if depth.is_empty() && is_doc && docs_start.is_none() {
                    docs_start = Some(at);
                }
                at = line_end(bytes, at, end);
            }
            b'"' => at = string_end(text, file, at, end)?,
            open @ (b'{' | b'(' | b'[') => {
                if depth.len() >= MAX_DEPTH {
                    return Err(Diagnostic::new(
                        "too-deep",
                        Span::new(file, at, at + 1),
                        format!("brackets nest deeper than {MAX_DEPTH}"),
                    ));
                }
                if open == b'{'
                    && depth.is_empty()
                    && let Some(piece) = pieces.last_mut()
                {
                    piece.open.get_or_insert(at);
                }
                depth.push(at);
                at += 1;
            }
            close @ (b'}' | b')' | b']') => {
                let opened = depth.pop().map(|o| (o, bytes[o]));
                match (opened, close) {
                    (Some((o, b'{')), b'}') | (Some((o, b'(')), b')') | (Some((o, b'[')), b']') => {
                        if let Some(piece) = pieces.last_mut().filter(|p| p.open == Some(o)) {
                            piece.close = Some(at);
                        }
                        at += 1;
                    }
                    (Some((o, _)), _) => {
                        return Err(Diagnostic::new(
                            "unbalanced",
                            Span::new(file, at, at + 1),
                            format!("`{}` does not close what is open", close as char),
                        )
                        .because(Span::new(file, o, o + 1), "opened here"));
                    }
                    (None, _) => {
                        return Err(Diagnostic::new(
                            "unbalanced",
                            Span::new(file, at, at + 1),
                            format!("`{}` closes nothing", close as char),
                        ));
                    }
                }
            }
            c if c.is_ascii_alphabetic() || c == b'_' => {
                let word_end = word_end(bytes, at, end);
                let word = &text[at..word_end];
                if depth.is_empty() && HEADS.contains(&word) && begins_line(bytes, start, at) {
                    let begin = docs_start.take().unwrap_or(at);
                    pieces.push(Piece { start: begin, open: None, close: None, end });
                }
                if depth.is_empty() {
                    if pieces.is_empty() {
                        return Err(Diagnostic::new(
                            "syntax",
                            Span::new(file, at, word_end),
                            format!("`{word}` does not begin an item"),
                        )
                        .maybe_help(formwork_diag::did_you_mean(word, HEADS.iter().copied())));
                    }
                    docs_start = None;
                }
                at = word_end;
            }
            c if pieces.is_empty() && !c.is_ascii_whitespace() && !text[at..end].starts_with('\u{feff}') => {
                let wide = text[at..end].chars().next().map_or(1, char::len_utf8);
                return Err(Diagnostic::new(
                    "syntax",
                    Span::new(file, at, at + wide),
                    "an item begins with a word such as `family` or `fn`",
                ));
            }
            c => at += if c == 0xef && text[at..end].starts_with('\u{feff}') { 3 } else { 1 },
        }
    }
    if let Some(open) = depth.first() {
        return Err(Diagnostic::new("unbalanced", Span::new(file, *open, open + 1), "this bracket is never closed"));
    }
    let starts: Vec<usize> = pieces.iter().skip(1).map(|p| p.start).collect();
    for (piece, next) in pieces.iter_mut().zip(starts.into_iter().chain([end])) {
        piece.end = next;
    }
    if let Some(long) = pieces.iter().find(|p| p.end - p.start > MAX_ITEM_BYTES && p.open.is_none()) {
        return Err(Diagnostic::new(
            "too-long",
            Span::new(file, long.start, long.start + 1),
            format!("one item is longer than {MAX_ITEM_BYTES} bytes"),
        ));
    }
    Ok(pieces)
}

/// Whether a word is the first of its line: only there does a head word begin an item.
fn begins_line(bytes: &[u8], start: usize, at: usize) -> bool {
    let before = bytes[start..at].iter().rev().take_while(|b| **b != b'\n');
    before.into_iter().all(u8::is_ascii_whitespace)
}

fn line_end(bytes: &[u8], at: usize, end: usize) -> usize {
    bytes[at..end].iter().position(|b| *b == b'\n').map_or(end, |n| at + n)
}

fn word_end(bytes: &[u8], at: usize, end: usize) -> usize {
    let length = bytes[at..end].iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b'_'));
    length.map_or(end, |n| at + n)
}

fn string_end(text: &str, file: FileId, at: usize, end: usize) -> Result<usize, Diagnostic> {
    let bytes = text.as_bytes();
    let mut i = at + 1;
    while i < end {
        match bytes[i] {
            b'\\' => i += 2,
            b'"' => return Ok(i + 1),
            b'\n' => break,
            _ => i += 1,
        }
    }
    Err(Diagnostic::new("unbalanced", Span::new(file, at, at + 1), "this string is never closed"))
}
