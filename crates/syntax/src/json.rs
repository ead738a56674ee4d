//! A JSON file as values with places; stricter than most readers: duplicate keys are refused.

use formwork_diag::{Diagnostic, FileId, Span};
use jsonc_parser::ast::{ObjectPropName, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::data::{Data, DataKind, Entry};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 64;

/// Reads a JSON file.
///
/// # Errors
/// Returns a syntax error, a duplicate key or too deep a nesting, with its place.
pub fn read_json(file: FileId, text: &str) -> Result<Data, Diagnostic> {
    check_depth(file, text)?;
    let options = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: true,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options).map_err(|error| {
        let range = error.range();
        let message = error.kind().to_string();
        let mut chars = message.trim_end_matches('.').chars();
        let message: String = chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default();
        Diagnostic::new("json-syntax", Span::new(file, range.start, range.end), message)
    })?;
    match &parsed.value {
        Some(value) => convert(file, value),
        None => Err(Diagnostic::new("empty-file", Span::new(file, 0, 0), "the file is empty")),
    }
}

fn check_depth(file: FileId, text: &str) -> Result<(), Diagnostic> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(Diagnostic::new(
                        "too-deep",
                        Span::new(file, at, at + 1),
                        format!("values nest deeper than {MAX_DEPTH}"),
                    ));
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

fn convert(file: FileId, value: &Value<'_>) -> Result<Data, Diagnostic> {
    let range = value.range();
    let span = Span::new(file, range.start, range.end);
    let kind = match value {
        Value::NullKeyword(_) => DataKind::Null,
        Value::BooleanLit(flag) => DataKind::Bool(flag.value),
        Value::StringLit(text) => DataKind::Str(text.value.to_string()),
        Value::NumberLit(number) => self::number(number.value, span)?,
        Value::Array(array) => {
            let items = array.elements.iter().map(|item| convert(file, item));
            DataKind::List(items.collect::<Result<_, _>>()?)
        }
        Value::Object(object) => {
            let mut entries: Vec<Entry> = Vec::new();
            for property in &object.properties {
                let range = property.name.range();
                let key_span = Span::new(file, range.start, range.end);
                let key = match &property.name {
                    ObjectPropName::String(text) => text.value.to_string(),
                    ObjectPropName::Word(word) => word.value.to_string(),
                };
                if let Some(first) = entries.iter().find(|e| e.key == key) {
                    return Err(Diagnostic::new("duplicate-key", key_span, format!("key `{key}` stands twice"))
                        .because(first.key_span, "first here"));
                }
                entries.push(Entry { key, key_span, value: convert(file, &property.value)? });
            }
            if let [Entry { key, value, .. }] = entries.as_slice()
                && key == "__float__"
            {
                return Ok(Data { kind: special_float(value), span });
            }
            DataKind::Table(entries)
        }
    };
    Ok(Data { kind, span })
}

/// transformers writes infinities as `{"__float__": "Infinity"}`.
fn special_float(value: &Data) -> DataKind {
    match value.as_str() {
        Some("Infinity") => DataKind::Float(f64::INFINITY),
        Some("-Infinity") => DataKind::Float(f64::NEG_INFINITY),
        _ => DataKind::Float(f64::NAN),
    }
}

fn number(text: &str, span: Span) -> Result<DataKind, Diagnostic> {
    if let Ok(int) = text.parse::<i128>() {
        return Ok(DataKind::Int(int));
    }
    match text.parse::<f64>() {
        // As Python's json module writes them; who reads the value says whether it may be one.
        Ok(float) if matches!(text, "Infinity" | "-Infinity" | "NaN") => Ok(DataKind::Float(float)),
        Ok(0.0) if crate::data::has_significant_digit(text) => {
            Err(Diagnostic::new("number-range", span, format!("`{text}` is smaller than any float")))
        }
        Ok(float) if float.is_finite() => Ok(DataKind::Float(float)),
        _ => Err(Diagnostic::new("number-range", span, format!("`{text}` is larger than any float"))),
    }
}
