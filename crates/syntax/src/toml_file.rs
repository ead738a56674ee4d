//! A TOML file as values with places.

use formwork_diag::{Diagnostic, FileId, Span};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::data::{Data, DataKind, Entry};

/// Reads a TOML file.
///
/// # Errors
/// Returns the syntax error with its place; numbers that no float holds and dates are refused where they stand.
pub fn read_toml(file: FileId, text: &str) -> Result<Data, Diagnostic> {
    let table = DeTable::parse(text).map_err(|error| {
        let range = error.span().unwrap_or(0..0);
        let message = error.message().lines().next().unwrap_or("this is not TOML").to_string();
        let code = match message.as_str() {
            m if m.starts_with("duplicate key") => "duplicate-key",
            m if m.contains("recursion") => "too-deep",
            _ => "toml-syntax",
        };
        Diagnostic::new(code, Span::new(file, range.start, range.end), lowercase(&message))
    })?;
    let whole = Span::new(file, 0, text.len());
    entries(file, table.get_ref(), whole)
}

fn lowercase(message: &str) -> String {
    let mut chars = message.trim_end_matches('.').chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn entries(file: FileId, table: &DeTable<'_>, span: Span) -> Result<Data, Diagnostic> {
    let mut out = Vec::new();
    for (key, value) in table {
        out.push(Entry {
            key: key.get_ref().to_string(),
            key_span: place(file, key.span()),
            value: value_of(file, value)?,
        });
    }
    out.sort_by_key(|e| e.key_span.start);
    Ok(Data { kind: DataKind::Table(out), span })
}

fn place(file: FileId, range: std::ops::Range<usize>) -> Span {
    Span::new(file, range.start, range.end)
}

fn value_of(file: FileId, value: &Spanned<DeValue<'_>>) -> Result<Data, Diagnostic> {
    let span = place(file, value.span());
    let refuse = |message: &str| Diagnostic::new("number-range", span, message.to_string());
    let kind = match value.get_ref() {
        DeValue::String(text) => DataKind::Str(text.to_string()),
        DeValue::Boolean(flag) => DataKind::Bool(*flag),
        DeValue::Integer(digits) => {
            let number = i128::from_str_radix(digits.as_str(), digits.radix());
            DataKind::Int(number.map_err(|_| refuse("this integer does not fit 128 bits"))?)
        }
        DeValue::Float(digits) => {
            let text = digits.as_str();
            let number: f64 = text.parse().map_err(|_| refuse("this is not a number"))?;
            let is_digits = text.bytes().any(|b| b.is_ascii_digit());
            if is_digits && number.is_infinite() {
                return Err(refuse("this number is larger than any float"));
            }
            if number == 0.0 && crate::data::has_significant_digit(text) {
                return Err(refuse("this number is smaller than any float"));
            }
            DataKind::Float(number)
        }
        DeValue::Datetime(_) => return Err(Diagnostic::new("type-mismatch", span, "a spec has no use for a date")),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| value_of(file, item));
            DataKind::List(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => return entries(file, table, span),
    };
    Ok(Data { kind, span })
}
