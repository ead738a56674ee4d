//! `serve`: requests from standard input, a JSON object a line; answers on standard output, in order.
//!
//! ```text
//! {"read": {"ids": [[..], ..], "types": [..], "places": [..]}}   ->  {"outputs": [{"width", "count", "by_token"}, ..]}, then the
//!                                                                   numbers of all, 32-bit and little-endian
//! {"begin": {"prompt": [..], "source", "count", "stop", ..}}     ->  {"reused": 12}
//! {"next": null}                                                 ->  {"next": {"id", "likelihood"}} or {"next": null}
//! {"score": {"ids": [..], "window", "stride"}}                   ->  {"nll", "tokens"}
//! ```
//!
//! First comes `{"ready": true}`. What goes wrong is `{"error": {"code", "message", "help", "exit"}}` in the answer's place.

use std::io::{BufRead as _, ErrorKind, Write as _};

use formwork_tensor::{Error, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::args::Options;
use super::{answers, generate, print};
use crate::model::Model;
use crate::sampling::Sampling;
use crate::scoring::Windows;
use crate::texts::{Output, Texts};
use crate::worker::{Continuation, Worker};

/// A line of standard input.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    Read { ids: Vec<Vec<u32>>, types: Vec<Vec<u32>>, places: Vec<Vec<usize>> },
    Begin(Begin),
    Next(()),
    Score { ids: Vec<u32>, window: usize, stride: usize },
}

#[derive(Deserialize)]
struct Begin {
    prompt: Vec<u32>,
    source: Option<Vec<u32>>,
    count: usize,
    temperature: f32,
    top_k: usize,
    top_p: f32,
    min_p: f32,
    repetition_penalty: f32,
    seed: u64,
    stop: Vec<u32>,
    alternatives: Option<usize>,
}

pub(super) fn run<M: Model>(options: &Options) -> Result<()> {
    let mut worker = match start::<M>(options) {
        Ok(worker) => worker,
        Err(error) => return print(&told(&error).to_string()),
    };
    print(&json!({"ready": true}).to_string())?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Error::io("standard input".as_ref(), &error))?;
        match answer(&mut worker, &line) {
            Ok((head, outputs)) => {
                print(&head.to_string())?;
                write(&outputs)?;
            }
            Err(error) => print(&told(&error).to_string())?,
        }
    }
    Ok(())
}

fn start<M: Model>(options: &Options) -> Result<Worker<M>> {
    let (ctx, format) = (options.context()?, options.cache::<M>()?);
    let features = options.features.as_deref().map(|path| generate::features::<M>(path, &ctx)).transpose()?;
    let worker = Worker::new(options.model(&ctx)?, ctx, format);
    Ok(match features {
        Some(features) => worker.with_features(features),
        None => worker,
    })
}

/// The head of an answer, and the numbers that follow it.
fn answer<M: Model>(worker: &mut Worker<M>, line: &str) -> Result<(Value, Vec<Output>)> {
    let request = serde_json::from_str(line)
        .map_err(|error| Error::usage("usage", format!("a line that is no request: {error}")))?;
    let head = match request {
        Request::Read { ids, types, places } => {
            let outputs = worker.read(&Texts { ids, types, places })?;
            let head = |it: &Output| json!({"width": it.width, "count": it.data.len(), "by_token": it.by_token});
            return Ok((json!({"outputs": outputs.iter().map(head).collect::<Vec<_>>()}), outputs));
        }
        Request::Begin(begin) => json!({"reused": worker.begin(&begin.continuation())?}),
        Request::Next(()) => {
            let next = worker.next_id()?;
            let likelihood = |it: &crate::Next| it.likelihood.as_ref().map(answers::likelihood);
            json!({"next": next.map(|next| json!({"id": next.id, "likelihood": likelihood(&next)}))})
        }
        Request::Score { ids, window, stride } => {
            let score = worker.score(&ids, Windows::new(Some(window), Some(stride), M::INFO.max_positions)?)?;
            json!({"nll": score.nll, "tokens": score.tokens})
        }
    };
    Ok((head, Vec::new()))
}

impl Begin {
    fn continuation(self) -> Continuation {
        let Self { temperature, top_k, top_p, min_p, repetition_penalty, seed, .. } = self;
        let sampling = Sampling { temperature, top_k, top_p, min_p, repetition_penalty, seed };
        let Self { prompt, source, count, stop, alternatives, .. } = self;
        Continuation { prompt, source, count, sampling, stop, alternatives }
    }
}

fn told(error: &Error) -> Value {
    json!({"error": {"code": error.code, "message": error.message, "help": error.help, "exit": error.exit}})
}

/// A reader that has gone away is no error: the process ends quietly.
fn write(outputs: &[Output]) -> Result<()> {
    let bytes: Vec<u8> = outputs.iter().flat_map(|output| &output.data).flat_map(|x| x.to_le_bytes()).collect();
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(&bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Error::io("standard output".as_ref(), &error)),
    }
}
