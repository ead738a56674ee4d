//! `run`: a text continued, as it comes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use formwork_tokenizer::Tokenizer;
use serde_json::Value;

use super::forward::{built, command, status_of};
use crate::args::{Global, Run};
use crate::checkpoint::{Facts, Folder};
use crate::output::{note, say};
use crate::problem::{Outcome, Problem};
use crate::stop::Stops;

/// How many tokens are added unless told.
const COUNT: usize = 64;

pub(super) fn run(options: &Run, global: &Global) -> Outcome {
    let folder = Folder::of(&options.target.weights);
    let tokenizer = folder.tokenizer()?;
    let executable = built(&options.target.spec, options.target.runtime.as_deref(), global)?;
    let facts = Facts::of(&executable)?;
    let prompt = with_start(tokenizer.encode(&text(&options.prompt)?)?, &tokenizer, &folder)?;
    check_room(prompt.len(), &facts)?;
    let mut child = command(&executable, "generate", &options.target);
    sampling(&mut child, options);
    child.arg("-n").arg(count(options, &facts, prompt.len()).to_string());
    for id in folder.stop_ids()? {
        child.arg("--stop-id").arg(id.to_string());
    }
    // An encoder-decoder reads the prompt with its encoder and starts anew.
    let seen = if facts.decodes() {
        let start = folder.number("decoder_start_token_id")?.ok_or_else(|| {
            Problem::wrong(
                "no-start-token",
                "no config gives the `decoder_start_token_id` that an encoder-decoder begins with",
            )
        })?;
        child.arg("--decoder-start").arg(start.to_string());
        vec![start]
    } else {
        prompt.clone()
    };
    let io = |error: std::io::Error| Problem::io(&executable, &error);
    let start = Instant::now();
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(io)?;
    feed(&mut child, &prompt);
    let times = print(&mut child, &tokenizer, &seen, options, &executable)?;
    if options.stats {
        note(&stats(start, &times, prompt.len()));
    }
    status_of(child.wait().map_err(io)?.code())
}

/// The prompt, or what standard input holds for `-`.
fn text(prompt: &str) -> Result<String, Problem> {
    if prompt != "-" {
        return Ok(prompt.to_string());
    }
    std::io::read_to_string(std::io::stdin()).map_err(|e| Problem::io(Path::new("standard input"), &e))
}

/// A prompt that the model cannot read is refused before anything is computed. An encoder reads it by itself.
fn check_room(prompt: usize, facts: &Facts) -> Result<(), Problem> {
    match facts.max_positions {
        Some(max) if prompt > max || (prompt == max && !facts.decodes()) => {
            let message = format!("the prompt has {prompt} tokens; the model has room for {max}, new ones included");
            Err(Problem::wrong("context-too-long", message).help("shorten the prompt"))
        }
        _ => Ok(()),
    }
}

/// Time to the first token and tokens per second from then on.
fn stats(start: Instant, times: &[Instant], prompt: usize) -> String {
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return "no token".to_string() };
    let rest = times.len() - 1;
    let rate = rest as f64 / last.duration_since(*first).as_secs_f64().max(f64::MIN_POSITIVE);
    let decode = if rest == 0 { String::new() } else { format!(", then {rate:.1} tokens/s over {rest}") };
    let first = first.duration_since(start).as_secs_f64();
    format!("first token after {first:.3} s, loading and {prompt} tokens of prompt included{decode}")
}

/// A text's ids; a start token comes first where the tokenizer's settings say so, and stands alone for an empty text.
pub(super) fn with_start(mut ids: Vec<u32>, tokenizer: &Tokenizer, folder: &Folder) -> Result<Vec<u32>, Problem> {
    let settings = folder.json("tokenizer_config.json")?;
    let adds = settings.get("add_bos_token").and_then(Value::as_bool);
    let start = start_token(&settings, tokenizer, folder)?;
    match start {
        Some(start) if ids.is_empty() || (adds == Some(true) && ids[0] != start) => ids.insert(0, start),
        _ => {}
    }
    if ids.is_empty() {
        return Err(Problem::wrong("empty-input", "the prompt is empty, and no config names a start token"));
    }
    Ok(ids)
}

fn start_token(settings: &Value, tokenizer: &Tokenizer, folder: &Folder) -> Result<Option<u32>, Problem> {
    if let Some(id) = folder.number("bos_token_id")? {
        return Ok(Some(id));
    }
    let token = settings.get("bos_token").map(|token| token.get("content").unwrap_or(token));
    Ok(token.and_then(Value::as_str).and_then(|token| tokenizer.id(token)))
}

/// As many as asked for; by default no more than there is room for.
fn count(options: &Run, facts: &Facts, prompt: usize) -> usize {
    let room = facts.max_positions.filter(|_| !facts.decodes()).map(|max| max.saturating_sub(prompt).max(1));
    options.count.unwrap_or_else(|| room.map_or(COUNT, |room| room.min(COUNT)))
}

fn sampling(child: &mut Command, options: &Run) {
    child.arg("--temperature").arg(options.temperature.to_string()).arg("--seed").arg(options.seed.to_string());
    let given = [
        ("--top-k", options.top_k.map(|x| x.to_string())),
        ("--top-p", options.top_p.map(|x| x.to_string())),
        ("--min-p", options.min_p.map(|x| x.to_string())),
        ("--repetition-penalty", options.repetition_penalty.map(|x| x.to_string())),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            child.arg(name).arg(value);
        }
    }
}

pub(super) fn feed(child: &mut Child, ids: &[u32]) {
    let text: Vec<String> = ids.iter().map(u32::to_string).collect();
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends before it reads says why on its own.
        let _ = stdin.write_all(text.join(" ").as_bytes());
    }
}

/// Shows the text as it comes; gives the time of every token.
fn print(
    child: &mut Child,
    tokenizer: &Tokenizer,
    seen: &[u32],
    options: &Run,
    executable: &Path,
) -> Result<Vec<Instant>, Problem> {
    let mut times = Vec::new();
    let Some(stdout) = child.stdout.take() else {
        return Ok(times);
    };
    let mut stream = tokenizer.stream(seen)?;
    let mut stops = Stops::new(&options.stop);
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|e| Problem::io(&PathBuf::from(executable), &e))?;
        let id = line
            .trim()
            .parse()
            .map_err(|_| Problem::bug(format!("the model's program printed `{line}`, which is no id")))?;
        times.push(Instant::now());
        let (text, found) = stops.push(&stream.push(id)?);
        say(&text)?;
        if found {
            say("\n")?;
            return Ok(times);
        }
    }
    let (rest, found) = stops.push(&stream.finish()?);
    let rest = if found { rest } else { rest + &stops.finish() };
    if !times.is_empty() {
        say(&format!("{rest}\n"))?;
    }
    Ok(times)
}
