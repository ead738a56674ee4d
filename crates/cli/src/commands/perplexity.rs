//! `perplexity`: how well a model predicts a text.

use std::process::Stdio;

use serde_json::Value;

use super::forward::{built_for_texts, command, status_of};
use super::run::{feed, with_start};
use crate::args::{Global, Perplexity};
use crate::output::say;
use crate::problem::{Outcome, Problem};
use formwork_text::Folder;

pub(super) fn run(options: &Perplexity, global: &Global) -> Outcome {
    let text = crate::texts::text(&options.file)?;
    let folder = Folder::of(&options.target.weights);
    let tokenizer = folder.tokenizer()?;
    let ids = with_start(tokenizer.encode(&text)?, &tokenizer, &folder)?;
    let executable = built_for_texts(&options.target, global)?;
    let mut child = command(&executable, "score", &options.target);
    for (name, value) in [("--window", options.window), ("--stride", options.stride)] {
        if let Some(value) = value {
            child.arg(name).arg(value.to_string());
        }
    }
    let io = |error: std::io::Error| Problem::io(&executable, &error);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(io)?;
    feed(&mut child, &[ids]);
    let output = child.wait_with_output().map_err(io)?;
    let status = status_of(output.status.code())?;
    if status != 0 {
        return Ok(status);
    }
    if options.json {
        say(&String::from_utf8_lossy(&output.stdout))?;
        return Ok(0);
    }
    let score: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| Problem::bug(format!("the model's program gave no score: {error}")))?;
    let number = |key: &str| score.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let (perplexity, tokens) = (number("perplexity"), number("tokens"));
    say(&format!("perplexity {perplexity:.6} over {tokens} tokens, {:.6} nats each\n", number("nll") / tokens))?;
    Ok(0)
}
