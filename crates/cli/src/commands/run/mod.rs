//! `run`: a text continued, as it comes; or many, each when it is whole.

mod answers;
mod prompts;
mod settings;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use formwork_tokenizer::Tokenizer;
use serde_json::Value;

use super::forward::{built_for_texts, command, status_of};
use crate::args::{Global, Run};
use crate::output::{note, say};
use crate::problem::{Outcome, Problem};
use formwork_text::Stops;
use formwork_text::{Facts, Folder};

/// How many tokens are added unless told.
const COUNT: usize = 64;

pub(super) fn run(options: &Run, global: &Global) -> Outcome {
    let folder = Folder::of(&options.target.weights);
    let tokenizer = folder.tokenizer()?;
    let prompts = prompts::of(options)?;
    let executable = built_for_texts(&options.target, global)?;
    let facts = crate::program::facts(&executable)?;
    let rows = prompts.iter().map(|prompt| {
        let ids = with_start(tokenizer.encode(prompt)?, &tokenizer, &folder)?;
        check_room(ids.len(), &facts)?;
        Ok(ids)
    });
    let rows = rows.collect::<Result<Vec<Vec<u32>>, Problem>>()?;
    settings::note_unapplied(&folder)?;
    let mut child = command(&executable, "generate", &options.target);
    let longest = rows.iter().map(Vec::len).max().unwrap_or_default();
    child.arg("-n").arg(count(options, &facts, longest).to_string());
    for id in folder.stop_ids()? {
        child.arg("--stop-id").arg(id.to_string());
    }
    match options.beams {
        None => sampling(&mut child, options),
        Some(beams) => settings::beams(&mut child, beams, options.length_penalty, &folder)?,
    }
    // An encoder-decoder reads the prompt with its encoder and starts anew.
    let start = if facts.decodes() { Some(settings::start(&folder)?) } else { None };
    for id in start.iter().flatten() {
        child.arg("--decoder-start").arg(id.to_string());
    }
    if let Some(count) = options.logprobs {
        child.arg("--logprobs").arg(count.to_string());
    }
    if let Some(path) = &options.features {
        child.arg("--features").arg(path);
    }
    let texts = Texts { prompts: &prompts, rows: &rows, start: start.as_deref(), tokenizer: &tokenizer };
    if options.prompts.is_some() || options.beams.is_some() {
        return answers::run(child, &texts, options, &executable);
    }
    let io = |error: std::io::Error| Problem::io(&executable, &error);
    let begin = Instant::now();
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(io)?;
    feed(&mut child, &rows);
    let times = print(&mut child, &tokenizer, texts.seen(0), options, &executable)?;
    if options.stats {
        note(&stats(begin, &times, longest));
    }
    status_of(child.wait().map_err(io)?.code())
}

/// The prompts as texts and as ids.
struct Texts<'a> {
    prompts: &'a [String],
    rows: &'a [Vec<u32>],
    /// What an encoder-decoder's answers begin with.
    start: Option<&'a [u32]>,
    tokenizer: &'a Tokenizer,
}

impl Texts<'_> {
    /// The ids that an answer follows.
    fn seen(&self, row: usize) -> &[u32] {
        self.start.unwrap_or(&self.rows[row])
    }
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

/// Gives the model's program ids, a line for each row.
pub(super) fn feed(child: &mut Child, rows: &[Vec<u32>]) {
    let line = |row: &Vec<u32>| row.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    let text: Vec<String> = rows.iter().map(line).collect();
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends before it reads says why on its own.
        let _ = stdin.write_all(text.join("\n").as_bytes());
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
        times.push(Instant::now());
        if options.logprobs.is_some() {
            say(&format!("{}\n", answers::told(&answers::object(&line)?, tokenizer, &mut stream)?))?;
            continue;
        }
        let id = line
            .trim()
            .parse()
            .map_err(|_| Problem::bug(format!("the model's program printed `{line}`, which is no id")))?;
        let (text, found) = stops.push(&stream.push(id)?);
        say(&text)?;
        if found {
            say("\n")?;
            return Ok(times);
        }
    }
    let (rest, found) = stops.push(&stream.finish()?);
    let rest = if found { rest } else { rest + &stops.finish() };
    if !times.is_empty() && options.logprobs.is_none() {
        say(&format!("{rest}\n"))?;
    }
    Ok(times)
}
