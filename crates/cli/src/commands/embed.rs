//! `embed`: a vector for each text, as JSON.

use std::path::Path;

use formwork_runtime::weights::SafeTensors;
use formwork_runtime::weights::writer::{self, Numbers, Output};
use formwork_tokenizer::Tokenizer;
use serde_json::{Value, json};

use super::forward::{built, command, status_of};
use crate::args::{Embed, Global};
use crate::checkpoint::{Facts, Folder};
use crate::output::say;
use crate::pooling::Pooling;
use crate::problem::{Outcome, Problem};

/// What a model must produce to be pooled.
const STATES: &str = "last_hidden_state";

pub(super) fn run(options: &Embed, global: &Global) -> Outcome {
    let folder = Folder::of(&options.target.weights);
    let pooling = Pooling::of(&folder)?;
    let mut tokenizer = folder.tokenizer()?;
    let executable = built(&options.target.spec, options.target.runtime.as_deref(), global)?;
    let facts = Facts::of(&executable)?;
    if facts.output != STATES || facts.decodes() {
        let message = format!("`{}` gives {}, not a vector for each token", facts.name, facts.output);
        return Err(Problem::wrong("not-an-encoder", message).help("choose the bare model, e.g. with `--task base`"));
    }
    tokenizer.truncate(limit(&folder, &tokenizer, &facts)?)?;
    let rows = options.text.iter().map(|text| tokenizer.encode(text)).collect::<Result<Vec<_>, _>>()?;
    if let Some(at) = rows.iter().position(Vec::is_empty) {
        return Err(Problem::wrong("empty-input", format!("text {} has no tokens", at + 1)));
    }
    let scratch = tempfile::tempdir().map_err(|e| Problem::io(Path::new("a temporary folder"), &e))?;
    let (input, output) = (scratch.path().join("in.safetensors"), scratch.path().join("out.safetensors"));
    writer::write(&input, &batch(&rows))?;
    let mut child = command(&executable, "forward", &options.target);
    child.arg("--input").arg(&input).arg("--output").arg(&output);
    let status = child.status().map_err(|e| Problem::io(&executable, &e))?;
    let status = status_of(status.code())?;
    if status != 0 {
        return Ok(status);
    }
    let (states, width) = states(&output, rows.len())?;
    let length = states.len() / rows.len().max(1);
    let vectors = rows.iter().zip(states.chunks_exact(length.max(1)));
    let vectors: Vec<Value> =
        vectors.map(|(row, states)| json!(pooling.apply(&states[..row.len() * width], width))).collect();
    say(&format!("{}\n", json!({"schema": 1, "model": facts.name, "dimensions": width, "embeddings": vectors})))?;
    Ok(0)
}

/// The most tokens of a text: as the checkpoint's settings say, and never more than the model has positions.
fn limit(folder: &Folder, tokenizer: &Tokenizer, facts: &Facts) -> Result<Option<usize>, Problem> {
    let settings = folder.json("sentence_bert_config.json")?;
    let own = settings.get("max_seq_length").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let asked = own.or(tokenizer.limit());
    Ok([asked, facts.max_positions].into_iter().flatten().min())
}

/// Ids padded on the right, with a mask.
fn batch(rows: &[Vec<u32>]) -> Vec<Output> {
    let length = rows.iter().map(Vec::len).max().unwrap_or_default();
    let padded = |value: &dyn Fn(u32) -> i64| {
        let row = |row: &Vec<u32>| {
            row.iter().map(|id| value(*id)).chain(std::iter::repeat_n(0, length - row.len())).collect::<Vec<_>>()
        };
        rows.iter().flat_map(row).collect()
    };
    let tensor = |name: &str, integers| Output {
        name: name.to_string(),
        dims: vec![rows.len(), length],
        numbers: Numbers::Integers(integers),
    };
    vec![tensor("input_ids", padded(&|id| i64::from(id))), tensor("attention_mask", padded(&|_| 1))]
}

/// The states of every token and their width.
fn states(path: &Path, rows: usize) -> Result<(Vec<f32>, usize), Problem> {
    let file = SafeTensors::open(path)?;
    let found = file.param(STATES).zip(file.describe(STATES));
    match found {
        Some((states, (_, [batch, _, width]))) if *batch == rows => Ok((states.to_f32().to_vec(), *width)),
        _ => Err(Problem::bug(format!("the model's program wrote no `{STATES}` of the right shape"))),
    }
}
