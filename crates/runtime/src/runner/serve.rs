//! `serve`: texts to read from standard input, a JSON object a line; answers on standard output, in order.
//!
//! ```text
//! {"ids": [[..], ..], "types": [..], "places": [..]}   ->  {"outputs": [{"width", "count", "by_token"}, ..]}, then the numbers of
//!                                                         all, 32-bit and little-endian
//! ```
//!
//! First comes `{"ready": true}`. What goes wrong is `{"error": {"code", "message", "help", "exit"}}` in the answer's place.

use std::io::{BufRead as _, ErrorKind, Write as _};

use formwork_ops::CacheFormat;
use formwork_tensor::{Context, Error, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::args::Options;
use super::print;
use crate::model::{Model, load_held};
use crate::texts::{Output, Texts, read_texts};

/// A line of standard input.
#[derive(Deserialize)]
struct Request {
    ids: Vec<Vec<u32>>,
    types: Vec<Vec<u32>>,
    places: Vec<Vec<usize>>,
}

pub(super) fn run<M: Model>(options: &Options) -> Result<()> {
    let (model, ctx, format) = match start::<M>(options) {
        Ok(started) => started,
        Err(error) => return print(&told(&error).to_string()),
    };
    print(&json!({"ready": true}).to_string())?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Error::io("standard input".as_ref(), &error))?;
        match answer(&model, &ctx, &line, format) {
            Ok(outputs) => {
                let head = |it: &Output| json!({"width": it.width, "count": it.data.len(), "by_token": it.by_token});
                print(&json!({"outputs": outputs.iter().map(head).collect::<Vec<_>>()}).to_string())?;
                write(&outputs)?;
            }
            Err(error) => print(&told(&error).to_string())?,
        }
    }
    Ok(())
}

fn start<M: Model>(options: &Options) -> Result<(M, Context, CacheFormat)> {
    let (ctx, format) = (options.context()?, options.cache::<M>()?);
    Ok((load_held(options.weights()?, options.holding()?)?, ctx, format))
}

fn answer<M: Model>(model: &M, ctx: &Context, line: &str, format: CacheFormat) -> Result<Vec<Output>> {
    let Request { ids, types, places } = serde_json::from_str(line)
        .map_err(|error| Error::usage("usage", format!("a line that is no request: {error}")))?;
    read_texts(model, ctx, &Texts { ids, types, places }, format)
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
