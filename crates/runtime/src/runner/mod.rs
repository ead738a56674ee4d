//! The command line of a generated crate.

mod answers;
mod args;
pub mod bench;
mod case;
mod compare;
mod fidelity;
mod forward;
mod generate;
mod quantize;
mod score;
mod serve;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use formwork_tensor::{Error, Result};
use serde_json::json;

use crate::model::Model;

const USAGE: &str = "\
commands:
  forward  --weights PATH --input IN.safetensors --output OUT.safetensors
           [--greedy N] [--hidden] [--threads N]
  verify   --weights PATH --input CASE.safetensors [--tolerance 1e-4] [--threads N]
  generate --weights PATH [-n N] [--temperature T] [--top-k K] [--top-p P] [--min-p P]
           [--repetition-penalty R] [--seed S] [--stop-id ID]... [--decoder-start ID]...
           [--logprobs N] [--features FILE.safetensors] [--threads N]
           reads the ids of the prompt from standard input, and `features` [1, P, width] from the file
  generate --lines [--batch N] ..   one prompt a line, one answer a line, as JSON
  generate --beams N [--length-penalty P] [--early-stopping] ..   the best whole answer, as JSON
  score    --weights PATH [--window N] [--stride N] [--threads N]
           reads ids from standard input and prints how likely they are
  serve    --weights PATH [--features FILE.safetensors] [--threads N]
           answers requests from standard input, a JSON object a line, until it ends
  quantize --weights PATH --dtype F --output FILE [--threads N] [--json]
           writes weights in another format; reads ids to compare answers with from standard input
  bench    [--weights PATH] [--pp 512] [--tg 128] [--depth 0] [--batch 1] [--threads N] [--repeat 5]
           [--mixed] [--work JSON] [--json]   sizes are lists with commas; without weights they are random
  info     prints facts about the model as JSON
  and with weights: [--dtype f32|bf16|f16|q8|q6|q4m|q4z|q4] [--hold mapped|packed]
  and how exactly products of many rows, and attention of prompts, see their operands: [--precision full|bf16]
  and where keys and values are kept: [--cache f32|f16|q8], their format
  and before any command: [--message-format=json]   an error as a JSON object";

/// The first argument of a process whose error is to be a JSON object, as `formwork --message-format json` prints them.
pub const JSON_ERRORS: &str = "--message-format=json";

/// The whole `main` of a generated crate: parses the arguments of the process and runs the command.
pub fn main<M: Model>() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let in_json = arguments.first().is_some_and(|word| word == JSON_ERRORS);
    if in_json {
        arguments.remove(0);
    }
    match run::<M>(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", if in_json { to_json(&error) } else { error.to_string() });
            ExitCode::from(error.exit)
        }
    }
}

fn to_json(error: &Error) -> String {
    let Error { code, message, help, .. } = error;
    let finding = json!({
        "schema": 1, "level": "error", "code": code, "message": message, "labels": [], "notes": [], "help": help,
    });
    finding.to_string()
}

/// Runs a command given as arguments, the program's name left out.
///
/// # Errors
/// Whatever goes wrong, with the exit status in the error.
pub fn run<M: Model>(arguments: Vec<std::ffi::OsString>) -> Result<()> {
    let (command, options) = args::parse(arguments)?;
    match command.as_str() {
        "forward" => forward::run::<M>(&options),
        "verify" => verify::run::<M>(&options),
        "generate" => generate::run::<M>(&options),
        "quantize" => quantize::run::<M>(&options),
        "score" => score::run::<M>(&options),
        "serve" => serve::run::<M>(&options),
        "bench" => bench::run::<M>(&options),
        "info" => info::<M>(),
        "help" => print(USAGE),
        _ => Err(args::usage(format!("unknown command `{command}`"))),
    }
}

fn info<M: Model>() -> Result<()> {
    let info = M::INFO;
    let facts = json!({
        "name": info.name,
        "task": info.task,
        "output": info.output,
        "inputs": info.inputs,
        "generates": info.generates,
        "vocab_size": info.vocab_size,
        "max_positions": info.max_positions,
        "parameters": info.parameters,
    });
    print(&format!("{facts:#}"))
}

/// Writes a line to standard output at once. A reader that has gone away is no error: the process
/// ends quietly.
fn print(line: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Error::io("standard output".as_ref(), &error)),
    }
}
