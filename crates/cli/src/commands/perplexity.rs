//! `perplexity`: how well a model predicts a text.

use std::process::Stdio;

use serde_json::{Value, json};

use super::forward::{built, command, status_of};
use super::run::{feed, with_start};
use crate::args::{Global, Perplexity};
use crate::checkpoint::Folder;
use crate::output::say;
use crate::problem::{Outcome, Problem};

pub(super) fn run(options: &Perplexity, global: &Global) -> Outcome {
    let text = std::fs::read(&options.file).map_err(|e| Problem::io(&options.file, &e))?;
    let text = String::from_utf8(text)
        .map_err(|_| Problem::wrong("not-utf8", format!("`{}` is not UTF-8 text", options.file.display())))?;
    let folder = Folder::of(&options.target.weights);
    let tokenizer = folder.tokenizer()?;
    let ids = with_start(tokenizer.encode(&text)?, &tokenizer, &folder)?;
    let executable = built(&options.target, global)?;
    let mut child = command(&executable, "score", &options.target);
    for (name, value) in [("--window", options.window), ("--stride", options.stride)] {
        if let Some(value) = value {
            child.arg(name).arg(value.to_string());
        }
    }
    let io = |error: std::io::Error| Problem::io(&executable, &error);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(io)?;
    feed(&mut child, &ids);
    let output = child.wait_with_output().map_err(io)?;
    let status = status_of(output.status.code())?;
    if status != 0 {
        return Ok(status);
    }
    let score: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| Problem::bug(format!("the model's program gave no score: {error}")))?;
    let number = |key: &str| score.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let (nll, tokens) = (number("nll"), number("tokens"));
    let perplexity = (nll / tokens).exp();
    if options.json {
        let figures = json!({"schema": 1, "perplexity": perplexity, "nll": nll, "tokens": tokens as u64,
            "window": score.get("window"), "stride": score.get("stride")});
        say(&format!("{figures}\n"))?;
    } else {
        say(&format!("perplexity {perplexity:.6} over {tokens} tokens, {:.6} nats each\n", nll / tokens))?;
    }
    Ok(0)
}
