//! What the distinct layers of a loop are called: `layer`, `windowed_layer`, `sparse_layer`.

use formwork_syntax::ast::Repeat as Loop;

use crate::value::Value;

/// A name for each kind: what sets it apart from the others, then what the loop's path calls a layer.
pub(crate) fn kind_names(it: &Loop, rows: &[Vec<Value>]) -> Vec<String> {
    let stem = stem(&it.path.text);
    let mut names: Vec<String> = Vec::new();
    for row in rows {
        let differs = |at: &usize| rows.iter().any(|other| !other[*at].equals(&row[*at]));
        let traits = (0..row.len()).filter(differs).filter_map(|at| adjective(&it.values[at].name.text, &row[at]));
        let mut words: Vec<String> = traits.collect();
        words.push(stem.to_string());
        names.push(words.join("_"));
    }
    let number = |(at, name): (usize, &String)| match names[..at].iter().filter(|other| *other == name).count() {
        0 => name.clone(),
        alike => format!("{name}_{}", alike + 1),
    };
    names.iter().enumerate().map(number).collect()
}

/// `layer` of `model.layers.{i}`; one or two letters say nothing.
fn stem(path: &str) -> &str {
    let last = path.split('.').rfind(|part| !part.starts_with(|c: char| c == '{' || c.is_ascii_digit()));
    let last = last.map_or("layer", |part| part.strip_suffix('s').unwrap_or(part));
    if last.len() < 3 { "layer" } else { last }
}

/// A flag that is set and a choice that was made have a word; what is off or absent has none.
fn adjective(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::Bool(false) | Value::Null | Value::Unknown => None,
        Value::Variant(variant) => Some(variant.name.clone()),
        Value::Str(text) => Some(text.to_string()),
        _ => Some(name.to_string()),
    }
}
