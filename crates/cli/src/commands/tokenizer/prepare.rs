//! `tokenizer prepare`: a corpus as rows of token ids.

use formwork_tokenizer::{Documents, Part, Preparation, Prepared, Tokenizer};
use serde_json::{Value, json};

use super::{Bar, spec};
use crate::args::Global;
use crate::output::{note, say};
use crate::problem::{Outcome, Problem};
use crate::tokenizer_args::Prepare;

/// Tokens that separate documents in published tokenizers; the first that is there is taken.
const SEPARATORS: [&str; 6] = ["<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|eos|>", "[SEP]"];

pub(super) fn run(options: &Prepare, global: &Global) -> Outcome {
    let (_, mut tokenizer) = spec::one(&options.source, global)?;
    let preparation = Preparation {
        length: options.length,
        separator: separator(options, &tokenizer)?,
        documents: match options.documents.as_str() {
            "lines" => Documents::Lines,
            "jsonl" => Documents::JsonLines,
            _ => Documents::Files,
        },
        validation: options.validation,
        seed: options.seed,
    };
    let mut bar = Bar::default();
    let show = &mut |progress| bar.show(progress);
    let prepared = preparation.run(&mut tokenizer, &options.files, &options.output, show)?;
    bar.end();
    if prepared.unknown > 0 {
        note(&format!("warning: {} places of the texts have no token and became the unknown one", prepared.unknown));
    }
    say(&if options.json { as_json(&prepared, options) } else { table(&prepared, options) })?;
    Ok(0)
}

fn separator(options: &Prepare, tokenizer: &Tokenizer) -> Result<u32, Problem> {
    let unknown = |what: String| {
        Err(Problem::wrong("bad-corpus", what).help("name one of the tokenizer's tokens with `--separator`"))
    };
    match &options.separator {
        Some(token) => match tokenizer.id(token) {
            Some(id) => Ok(id),
            None => unknown(format!("the tokenizer has no token `{token}` to put between documents")),
        },
        None => match SEPARATORS.iter().find_map(|token| tokenizer.id(token)) {
            Some(id) => Ok(id),
            None => unknown("the tokenizer has none of the usual tokens to put between documents".into()),
        },
    }
}

fn sets(prepared: &Prepared) -> impl Iterator<Item = (&'static str, Part)> {
    let sets = [(Preparation::TRAIN, prepared.train), (Preparation::VALIDATION, prepared.validation)];
    sets.into_iter().filter(|(_, part)| part.rows > 0)
}

fn table(prepared: &Prepared, options: &Prepare) -> String {
    let line = |(name, part): (&str, Part)| {
        let path = options.output.join(name);
        let Part { documents, rows, rest } = part;
        format!(
            "{}: {rows} rows of {} ids from {documents} documents; {rest} ids left over\n",
            path.display(),
            options.length
        )
    };
    sets(prepared).map(line).collect()
}

fn as_json(prepared: &Prepared, options: &Prepare) -> String {
    let set = |(name, part): (&str, Part)| json!({"file": options.output.join(name), "documents": part.documents, "rows": part.rows, "left_over": part.rest});
    let sets: Vec<Value> = sets(prepared).map(set).collect();
    format!("{}\n", json!({"schema": 1, "length": options.length, "unknown": prepared.unknown, "sets": sets}))
}
