//! `.fw` text cut into tokens that keep every comment and where lines broke.

/// What a token is, as far as its text tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Number,
    Text,
    Symbol,
    /// `//` or `///` to the end of the line.
    Comment,
}

/// A token and the white space before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
    /// Its first byte in the source.
    pub(super) start: usize,
    /// Line breaks before it.
    pub(super) breaks: usize,
    /// Whether it touches the token before it.
    pub(super) adjacent: bool,
}

impl Token<'_> {
    pub(super) fn is(&self, text: &str) -> bool {
        self.kind != Kind::Text && self.text == text
    }
}

/// Symbols of two characters; one that begins with another's text stands before it.
const PAIRS: &[&str] = &["|>", "=>", "->", "<-", "==", "!=", "<=", ">=", "&&", "||", "??", ".."];

/// Cuts text that parses; brackets of types and lambdas are told from operators later.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let trimmed = rest.trim_start();
        let space = &rest[..rest.len() - trimmed.len()];
        at += space.len();
        let Some(first) = trimmed.chars().next() else { return out };
        let (kind, length) = next(trimmed, first);
        let text = trimmed[..length].trim_end();
        let breaks = space.matches('\n').count();
        out.push(Token { kind, text, start: at, breaks, adjacent: space.is_empty() && at > 0 });
        at += length;
    }
}

fn next(text: &str, first: char) -> (Kind, usize) {
    let until = |end: fn(char) -> bool| text.find(end).unwrap_or(text.len());
    match first {
        '/' if text.starts_with("//") => (Kind::Comment, until(|c| c == '\n')),
        '"' => (Kind::Text, string_length(text)),
        '0'..='9' => (Kind::Number, number_length(text)),
        c if c.is_ascii_alphabetic() || c == '_' => (Kind::Word, until(|c| !(c.is_ascii_alphanumeric() || c == '_'))),
        c => (Kind::Symbol, PAIRS.iter().find(|p| text.starts_with(**p)).map_or(c.len_utf8(), |p| p.len())),
    }
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Digits, then a fraction and an exponent only where digits follow.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let run = |mut at: usize| {
        while digit(at) || bytes.get(at) == Some(&b'_') {
            at += 1;
        }
        at
    };
    let mut at = run(0);
    if bytes.get(at) == Some(&b'.') && digit(at + 1) {
        at = run(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if digit(at + 1 + sign) {
            at = run(at + 1 + sign);
        }
    }
    at
}
