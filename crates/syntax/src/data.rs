//! Values of a TOML or JSON file with their places.

use formwork_diag::Span;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// What it is.
    pub kind: DataKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of values.
#[derive(Clone, Debug, PartialEq)]
pub enum DataKind {
    /// JSON's null.
    Null,
    /// A flag.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(String),
    /// A list.
    List(Vec<Data>),
    /// Keys in file order.
    Table(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Data,
}

/// Whether a number's text has a digit other than zero before its exponent, so that reading it as zero would lose it.
pub(crate) fn has_significant_digit(text: &str) -> bool {
    text.bytes().take_while(|b| !matches!(b, b'e' | b'E')).any(|b| (b'1'..=b'9').contains(&b))
}

impl Data {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Data> {
        self.entries().iter().find(|e| e.key == key).map(|e| &e.value)
    }

    /// The entries of a table; none for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            DataKind::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            DataKind::Str(text) => Some(text),
            _ => None,
        }
    }

    /// "a table", "an integer", ... for messages.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            DataKind::Null => "null",
            DataKind::Bool(_) => "a boolean",
            DataKind::Int(_) => "an integer",
            DataKind::Float(_) => "a float",
            DataKind::Str(_) => "a string",
            DataKind::List(_) => "a list",
            DataKind::Table(_) => "a table",
        }
    }
}
