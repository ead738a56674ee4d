//! `run`: a text continued, as it comes; or many, each when it is whole.

mod answers;
mod prompts;
pub(super) mod settings;

use std::time::Instant;

use formwork_runtime::Sampling;
use formwork_text::{Folder, Generate, Generator, Token};
use serde_json::{Value, json};

use super::forward::{built_for_texts, command};
use crate::args::{Choice, Global, Run};
use crate::output::{note, say};
use crate::problem::{Outcome, Problem};
use crate::program::{self, Program};

pub(super) fn run(options: &Run, global: &Global) -> Outcome {
    let folder = Folder::of(&options.target.weights);
    let prompts = prompts::of(options)?;
    let executable = built_for_texts(&options.target, global)?;
    let generator = Generator::new(&folder, &program::facts(&executable)?)?;
    let rows = prompts.iter().map(|prompt| generator.ids(prompt)).collect::<Result<Vec<_>, _>>()?;
    let longest = rows.iter().map(Vec::len).max().unwrap_or_default();
    let count = generator.count(options.count, longest)?;
    settings::note_unapplied(&folder)?;
    if options.prompts.is_some() || options.beams.is_some() {
        let mut child = command(&executable, "generate", &options.target, global);
        child.arg("-n").arg(count.to_string());
        match options.beams {
            None => settings::sampling(&mut child, &options.choice),
            Some(beams) => settings::beams(&mut child, beams, options.length_penalty, &folder)?,
        }
        let texts = answers::Texts { prompts: &prompts, rows: &rows, generator: &generator };
        return answers::run(child, &texts, options, &executable);
    }
    let begin = Instant::now();
    let mut serve = command(&executable, "serve", &options.target, global);
    if let Some(path) = &options.features {
        serve.arg("--features").arg(path);
    }
    let mut engine = Program::start(serve)?;
    let asked = Generate {
        count: Some(count),
        sampling: sampling(&options.choice),
        stop: options.stop.clone(),
        likeliest: options.logprobs,
    };
    let mut pieces = generator.generate(&mut engine, &rows[0], &asked)?;
    let times = print(&mut pieces, options.logprobs.is_some(), |_| {})?;
    if options.stats {
        note(&stats(begin, &times, &format!("loading and {longest} tokens of prompt included")));
    }
    Ok(0)
}

/// How tokens are chosen.
pub(super) fn sampling(choice: &Choice) -> Sampling {
    let plain = Sampling::default();
    Sampling {
        temperature: choice.temperature,
        top_k: choice.top_k.unwrap_or(plain.top_k),
        top_p: choice.top_p.unwrap_or(plain.top_p),
        min_p: choice.min_p.unwrap_or(plain.min_p),
        repetition_penalty: choice.repetition_penalty.unwrap_or(plain.repetition_penalty),
        seed: choice.seed,
    }
}

/// Shows the text as it comes, or a JSON line for each token; gives the time of every token.
pub(super) fn print(
    pieces: &mut impl Iterator<Item = formwork_text::Result<formwork_text::Piece>>,
    lines: bool,
    mut hears: impl FnMut(&str),
) -> Result<Vec<Instant>, Problem> {
    let mut times = Vec::new();
    for piece in pieces {
        let piece = piece?;
        hears(&piece.text);
        if piece.token.is_some() {
            times.push(Instant::now());
        }
        match (lines, &piece.token) {
            (false, _) => say(&piece.text)?,
            (true, Some(token)) => say(&format!("{}\n", told(&piece.text, token)))?,
            (true, None) => {}
        }
    }
    if !lines && !times.is_empty() {
        say("\n")?;
    }
    Ok(times)
}

/// A token with its text, and those that were likely in its place with theirs.
fn told(text: &str, token: &Token) -> Value {
    let mut out = json!({"text": text, "id": token.id, "logprob": token.logprob});
    if !token.likeliest.is_empty() {
        let entry = |it: &formwork_text::Likely| json!({"text": it.text, "id": it.id, "logprob": it.logprob});
        out["likeliest"] = token.likeliest.iter().map(entry).collect();
    }
    out
}

/// Time to the first token and tokens per second from then on.
pub(super) fn stats(start: Instant, times: &[Instant], included: &str) -> String {
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return "no token".to_string() };
    let rest = times.len() - 1;
    let rate = rest as f64 / last.duration_since(*first).as_secs_f64().max(f64::MIN_POSITIVE);
    let decode = if rest == 0 { String::new() } else { format!(", then {rate:.1} tokens/s over {rest}") };
    let first = first.duration_since(start).as_secs_f64();
    format!("first token after {first:.3} s, {included}{decode}")
}
