//! `tokenizer explain`: how the tokens of a text come about.

use std::path::Path;

use formwork_tokenizer::{Explanation, Tokenizer, Word};
use serde_json::{Value, json};

use super::spec;
use crate::args::Global;
use crate::output::say;
use crate::problem::Outcome;
use crate::tokenizer_args::Explain;

pub(super) fn run(options: &Explain, global: &Global) -> Outcome {
    let mut shown = Vec::new();
    for (path, tokenizer) in spec::opened(&options.tokenizer, options.spec.as_deref(), global)? {
        let explanation = tokenizer.explain(&options.text)?;
        shown.push(match options.json {
            true => as_json(&path, &tokenizer, &explanation).to_string(),
            false => as_text(&path, &tokenizer, &explanation),
        });
    }
    say(&format!("{}\n", shown.join("\n")))?;
    Ok(0)
}

fn as_text(path: &Path, tokenizer: &Tokenizer, explanation: &Explanation) -> String {
    let mut out = format!("{} ({})\n", path.display(), tokenizer.kind());
    let words: Vec<&str> = explanation.words.iter().map(|word| word.text.as_str()).collect();
    out += &format!("  normalized  {:?}\n  words       {}\n", explanation.normalized, words.join(" | "));
    for word in &explanation.words {
        out += &format!("\n  {}", word.text);
        out += if word.added { "  (a token of its own)\n" } else { "\n" };
        let width = word.steps.iter().map(|step| parts(&step.parts).chars().count()).max().unwrap_or_default();
        for step in &word.steps {
            let parts = parts(&step.parts);
            let gap = width.saturating_sub(parts.chars().count());
            out += format!("    {parts}{:gap$}  {}", "", step.done).trim_end();
            out.push('\n');
        }
        let ids: Vec<String> = word.tokens.iter().map(|(token, id)| format!("{token} = {id}")).collect();
        out += &format!("    ids: {}\n", ids.join(", "));
    }
    out
}

fn parts(parts: &[String]) -> String {
    parts.join(" ")
}

fn as_json(path: &Path, tokenizer: &Tokenizer, explanation: &Explanation) -> Value {
    let word = |word: &Word| {
        let steps: Vec<Value> = word.steps.iter().map(|it| json!({"parts": it.parts, "done": it.done})).collect();
        let tokens: Vec<Value> = word.tokens.iter().map(|(token, id)| json!({"token": token, "id": id})).collect();
        json!({"text": word.text, "place": [word.place.start, word.place.end], "added": word.added, "steps": steps,
            "tokens": tokens})
    };
    json!({"schema": 1, "tokenizer": path.display().to_string(), "kind": tokenizer.kind().name(),
        "normalized": explanation.normalized, "words": explanation.words.iter().map(word).collect::<Vec<_>>()})
}
