//! `tokenizer inspect`: what tokenizers hold, and how many tokens they need.

use std::path::Path;

use formwork_tokenizer::Tokenizer;
use serde_json::{Map, Value, json};

use super::spec;
use crate::args::Global;
use crate::output::say;
use crate::problem::{Outcome, Problem};
use crate::tokenizer_args::Inspect;

/// Figures of a tokenizer, in the order in which they are shown.
type Figures = Vec<(&'static str, Value)>;

pub(super) fn run(options: &Inspect, global: &Global) -> Outcome {
    let text = options.on.as_deref().map(read).transpose()?;
    let mut columns = Vec::new();
    for (path, tokenizer) in spec::opened(&options.tokenizers, options.spec.as_deref(), global)? {
        let mut figures = held(&path, &tokenizer);
        if let Some(text) = &text {
            figures.extend(fertility(&tokenizer, text)?);
        }
        columns.push(figures);
    }
    if options.json {
        let objects =
            columns.into_iter().map(|it| it.into_iter().map(|(key, value)| (key.to_string(), value)).collect());
        let objects: Vec<Map<String, Value>> = objects.collect();
        say(&format!("{}\n", json!({"schema": 1, "tokenizers": objects})))?;
    } else {
        say(&table(&columns))?;
    }
    Ok(0)
}

fn read(path: &Path) -> Result<String, Problem> {
    let bytes = std::fs::read(path).map_err(|error| Problem::io(path, &error))?;
    String::from_utf8(bytes).map_err(|_| Problem::wrong("not-utf8", format!("`{}` is not UTF-8", path.display())))
}

fn held(path: &Path, tokenizer: &Tokenizer) -> Figures {
    let added = tokenizer.added();
    let special: Vec<String> = added.iter().filter(|it| it.special).map(|it| it.content.clone()).collect();
    vec![
        ("tokenizer", json!(path.display().to_string())),
        ("kind", json!(tokenizer.kind().name())),
        ("tokens", json!(tokenizer.vocab_size())),
        ("rows_needed", json!(tokenizer.id_limit())),
        ("merges", json!(tokenizer.merges())),
        ("added", json!(added.len())),
        ("special", json!(special)),
        ("limit", json!(tokenizer.limit())),
    ]
}

/// Tokens of a text, line by line, beside its words (what stands between white space) and bytes.
fn fertility(tokenizer: &Tokenizer, text: &str) -> Result<Figures, Problem> {
    let (mut tokens, mut unknown) = (0, 0);
    for line in text.split_inclusive('\n') {
        let encoding = tokenizer.tokens(line, false)?;
        tokens += encoding.ids.len();
        unknown += encoding.unknown.len();
    }
    let words = text.split_whitespace().count();
    let share = |of: usize| if of == 0 { Value::Null } else { json!(tokens as f64 / of as f64) };
    Ok(vec![
        ("text_bytes", json!(text.len())),
        ("text_words", json!(words)),
        ("text_tokens", json!(tokens)),
        ("text_unknown", json!(unknown)),
        ("tokens_per_word", share(words)),
        ("tokens_per_byte", share(text.len())),
    ])
}

/// One line a figure, one column a tokenizer.
fn table(columns: &[Figures]) -> String {
    let cell = |value: &Value| match value {
        Value::Null => "-".to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.len() > 4 => format!("{} tokens", items.len()),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Value::Number(number) if number.is_f64() => format!("{:.4}", number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    };
    let cells: Vec<Vec<String>> = columns.iter().map(|it| it.iter().map(|(_, value)| cell(value)).collect()).collect();
    let width = |column: &Vec<String>| column.iter().map(|it| it.chars().count()).max().unwrap_or_default();
    let mut out = String::new();
    for (row, (name, _)) in columns.first().into_iter().flatten().enumerate() {
        let mut line = format!("{:<16}", name.replace('_', " "));
        for column in &cells {
            line += &format!("  {:<width$}", column[row], width = width(column));
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}
