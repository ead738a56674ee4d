//! `tokenizer encode` and `tokenizer decode`.

use formwork_tokenizer::Encoding;
use serde_json::{Value, json};

use super::{spec, standard_input};
use crate::args::Global;
use crate::output::{note, say};
use crate::problem::{Outcome, Problem};
use crate::tokenizer_args::{Decode, Encode};

pub(super) fn encode(options: &Encode, global: &Global) -> Outcome {
    let (_, mut tokenizer) = spec::one(&options.source, global)?;
    if options.plain {
        tokenizer.treat_special_as_text();
    }
    let text = options.text.clone().map_or_else(standard_input, Ok)?;
    let encoding = tokenizer.tokens(&text, !options.no_special)?;
    warn_of_unknown(&text, &encoding);
    if options.json {
        say(&format!("{}\n", as_json(&text, &encoding)))?;
    } else {
        let ids: Vec<String> = encoding.ids.iter().map(u32::to_string).collect();
        say(&format!("{}\n", ids.join(" ")))?;
    }
    Ok(0)
}

pub(super) fn decode(options: &Decode, global: &Global) -> Outcome {
    let (_, tokenizer) = spec::one(&options.source, global)?;
    let ids = if options.ids.is_empty() { ids_of(&standard_input()?)? } else { options.ids.clone() };
    if let Some(id) = ids.iter().find(|id| tokenizer.token(**id).is_none()) {
        let message = format!("there is no token {id}; ids are below {}", tokenizer.id_limit());
        return Err(Problem::wrong("unknown-id", message));
    }
    let text = if options.special { tokenizer.decode_all(&ids)? } else { tokenizer.decode(&ids)? };
    say(&format!("{text}\n"))?;
    Ok(0)
}

/// Numbers between spaces, commas or brackets.
fn ids_of(text: &str) -> Result<Vec<u32>, Problem> {
    let words = text.split([' ', ',', '[', ']', '\n', '\r', '\t']).filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_err(|_| Problem::wrong("unknown-id", format!("`{word}` is no id")))).collect()
}

fn as_json(text: &str, encoding: &Encoding) -> Value {
    let place = |range: &std::ops::Range<usize>| json!([range.start, range.end]);
    let unknown = encoding.unknown.iter().map(|range| json!({"at": place(range), "text": text.get(range.clone())}));
    json!({"schema": 1, "ids": encoding.ids, "tokens": encoding.tokens,
        "offsets": encoding.offsets.iter().map(place).collect::<Vec<_>>(), "unknown": unknown.collect::<Vec<_>>()})
}

/// Says which parts of the text are lost.
fn warn_of_unknown(text: &str, encoding: &Encoding) {
    let lost: Vec<_> = encoding.unknown.iter().filter_map(|range| text.get(range.clone())).collect();
    if let Some(first) = lost.first() {
        note(&format!(
            "warning: {} parts of the text have no token and are lost, the first being {first:?}",
            lost.len()
        ));
    }
}
