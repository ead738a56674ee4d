//! Syntax trees as indented text.

use std::fmt::{Debug, Write as _};

use formwork_syntax::data::{Data, DataKind};

/// A file of values: a line each.
pub(crate) fn data(data: &Data) -> String {
    let mut out = String::new();
    values(data, 0, &mut out);
    out
}

fn values(data: &Data, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    for entry in data.entries() {
        line(&format!("{indent}{}", entry.key), &entry.value, depth, out);
    }
    if let DataKind::List(items) = &data.kind {
        for (at, item) in items.iter().enumerate() {
            line(&format!("{indent}[{at}]"), item, depth, out);
        }
    }
}

fn line(name: &str, value: &Data, depth: usize, out: &mut String) {
    let text = match &value.kind {
        DataKind::Null => "null".to_string(),
        DataKind::Bool(flag) => flag.to_string(),
        DataKind::Int(number) => number.to_string(),
        DataKind::Float(number) => format!("{number:?}"),
        DataKind::Str(text) => format!("{text:?}"),
        DataKind::List(_) | DataKind::Table(_) => String::new(),
    };
    let place = format!("@{}..{}", value.span.start, value.span.end);
    // Writing to a string does not fail.
    let _ = if text.is_empty() { writeln!(out, "{name} {place}") } else { writeln!(out, "{name} = {text} {place}") };
    values(value, depth + 1, out);
}

/// A tree by its fields, with places left out and two spaces a level.
pub(crate) fn debug(tree: &impl Debug) -> String {
    let mut out = String::new();
    let mut skipped: Option<usize> = None;
    for line in format!("{tree:#?}").lines() {
        let body = line.trim_start();
        let depth = line.len() - body.len();
        match skipped {
            Some(start) if depth > start => {}
            Some(_) => skipped = None,
            None if body.ends_with("Span {") => skipped = Some(depth),
            None => {
                let _ = writeln!(out, "{}{body}", " ".repeat(depth / 2));
            }
        }
    }
    out
}
