//! Whole answers of the model's program, as text.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use formwork_tokenizer::{Stream, Tokenizer};
use serde_json::{Value, json};

use super::super::forward::status_of;
use crate::args::Run;
use crate::output::say;
use crate::problem::{Outcome, Problem};
use crate::program::feed;
use formwork_text::{Generator, Stops};

/// The prompts as texts and as ids.
pub(super) struct Texts<'a> {
    pub(super) prompts: &'a [String],
    pub(super) rows: &'a [Vec<u32>],
    pub(super) generator: &'a Generator,
}

impl Texts<'_> {
    /// The ids that an answer follows.
    fn seen(&self, row: usize) -> &[u32] {
        self.generator.decoder_start().unwrap_or(&self.rows[row])
    }
}

/// Runs the program on every prompt: the text alone for one, a JSON line for each of many.
pub(super) fn run(mut child: Command, texts: &Texts<'_>, options: &Run, executable: &Path) -> Outcome {
    let io = |error: std::io::Error| Problem::io(executable, &error);
    child.arg("--lines");
    for id in texts.generator.ends() {
        child.arg("--stop-id").arg(id.to_string());
    }
    for id in texts.generator.decoder_start().into_iter().flatten() {
        child.arg("--decoder-start").arg(id.to_string());
    }
    if let Some(count) = options.logprobs {
        child.arg("--logprobs").arg(count.to_string());
    }
    if options.beams.is_none() {
        child.arg("--batch").arg(options.batch.to_string());
    }
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(io)?;
    feed(&mut child, texts.rows);
    let stdout = child.stdout.take().map(BufReader::new);
    for (row, line) in stdout.into_iter().flat_map(|stdout| stdout.lines()).enumerate() {
        let answer = object(&line.map_err(io)?)?;
        let text = text(&answer, texts, row, &options.stop)?;
        if options.prompts.is_none() {
            say(&format!("{text}\n"))?;
            continue;
        }
        let mut out = json!({"prompt": texts.prompts[row], "text": text});
        for key in ["ids", "ended", "score"] {
            if let Some(value) = answer.get(key) {
                out[key] = value.clone();
            }
        }
        if let Some(likelihoods) = answer.get("likelihoods").and_then(Value::as_array) {
            let mut stream = texts.generator.tokenizer().stream(texts.seen(row))?;
            let told = likelihoods.iter().map(|it| told(it, texts.generator.tokenizer(), &mut stream));
            out["tokens"] = told.collect::<Result<_, _>>()?;
        }
        say(&format!("{out}\n"))?;
    }
    status_of(child.wait().map_err(io)?.code())
}

/// A line of the program as JSON.
fn object(line: &str) -> Result<Value, Problem> {
    serde_json::from_str(line)
        .map_err(|_| Problem::bug(format!("the model's program printed `{line}`, which is no JSON")))
}

/// A token with its text, and those that were likely in its place with theirs.
fn told(chosen: &Value, tokenizer: &Tokenizer, stream: &mut Stream<'_>) -> Result<Value, Problem> {
    let entry = |text: String, id: &Value, logprob: &Value| json!({"text": text, "id": id, "logprob": logprob});
    let mut likeliest = Vec::new();
    for other in chosen["likeliest"].as_array().into_iter().flatten() {
        likeliest.push(entry(tokenizer.decode_all(&[id(&other[0])?])?, &other[0], &other[1]));
    }
    let mut out = entry(stream.push(id(&chosen["id"])?)?, &chosen["id"], &chosen["logprob"]);
    if !likeliest.is_empty() {
        out["likeliest"] = Value::Array(likeliest);
    }
    Ok(out)
}

/// The text of an answer up to the first stop text.
fn text(answer: &Value, texts: &Texts<'_>, row: usize, stop: &[String]) -> Result<String, Problem> {
    let mut stream = texts.generator.tokenizer().stream(texts.seen(row))?;
    let mut stops = Stops::new(stop);
    let mut out = String::new();
    for value in answer["ids"].as_array().into_iter().flatten() {
        let (text, found) = stops.push(&stream.push(id(value)?)?);
        out += &text;
        if found {
            return Ok(out);
        }
    }
    let (rest, found) = stops.push(&stream.finish()?);
    Ok(out + &rest + &if found { String::new() } else { stops.finish() })
}

fn id(value: &Value) -> Result<u32, Problem> {
    let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
    id.ok_or_else(|| Problem::bug(format!("the model's program gave `{value}` as an id")))
}
