//! Arguments of the commands.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use formwork_ops::CacheFormat;
use formwork_tensor::{Context, Error, Precision, Result};
use lexopt::prelude::*;

use super::USAGE;
use super::bench::Bench;
use crate::model::{Model, load_from};
use crate::sampling::Sampling;
use crate::weights::{Checkpoint, Holding, SINGLE, Weights};

/// All options of all commands, as given.
#[derive(Default)]
pub(super) struct Options {
    weights: Option<PathBuf>,
    input: Option<PathBuf>,
    output: Option<PathBuf>,
    /// A file with the numbers that the model reads beside ids.
    pub(super) features: Option<PathBuf>,
    threads: Option<usize>,
    hold: Option<String>,
    dtype: Option<String>,
    cache: Option<String>,
    precision: Option<String>,
    pub(super) greedy: Option<usize>,
    pub(super) hidden: bool,
    pub(super) tolerance: Option<f32>,
    pub(super) count: Option<usize>,
    pub(super) window: Option<usize>,
    pub(super) stride: Option<usize>,
    pub(super) sampling: Sampling,
    pub(super) stop: Vec<u32>,
    pub(super) decoder_start: Vec<u32>,
    pub(super) logprobs: Option<usize>,
    pub(super) lines: bool,
    pub(super) batch: Option<usize>,
    pub(super) beams: Option<usize>,
    pub(super) length_penalty: Option<f64>,
    pub(super) early_stopping: bool,
    pub(super) bench: Bench,
    pub(super) json: bool,
}

impl Options {
    pub(super) fn weights(&self) -> Result<&Path> {
        self.weights.as_deref().ok_or_else(|| usage("--weights is missing"))
    }

    pub(super) fn input(&self) -> Result<&Path> {
        self.input.as_deref().ok_or_else(|| usage("--input is missing"))
    }

    pub(super) fn output(&self) -> Result<&Path> {
        self.output.as_deref().ok_or_else(|| usage("--output is missing"))
    }

    /// Refuses to write a file that is read, or that would be read in the place of the shards beside it.
    pub(super) fn spare_inputs(&self, output: &Path) -> Result<()> {
        let weights = self.weights()?;
        let same = |other: &Path| matches!((output.canonicalize(), other.canonicalize()), (Ok(a), Ok(b)) if a == b);
        let folder = |file: &Path| Path::new(".").join(file).parent().and_then(|folder| folder.canonicalize().ok());
        let home = if weights.is_dir() { weights.canonicalize().ok() } else { folder(weights) };
        let hides = output.file_name() == Some(SINGLE.as_ref()) && home.is_some() && folder(output) == home;
        let is_part = || Checkpoint::open(weights).is_ok_and(|checkpoint| checkpoint.paths().any(same));
        if self.input.as_deref().is_some_and(same) || same(weights) || hides || is_part() {
            let message = format!("--output would replace `{}`, which is read, or hide what is", output.display());
            return Err(usage(message));
        }
        Ok(())
    }

    /// Where the options ask matrices to be kept.
    pub(super) fn holding(&self) -> Result<Holding> {
        Holding::named(self.hold.as_deref(), self.dtype.as_deref())
    }

    /// The model with its weights, held as the options ask, loaded on the threads of a context.
    pub(super) fn model<M: Model>(&self, ctx: &Context) -> Result<M> {
        let weights = Weights::open(self.weights()?, &M::INFO.mapping)?.threads(ctx.device().threads().count());
        load_from(&weights.hold(self.holding()?))
    }

    /// The format that the options ask keys and values to be kept in.
    pub(super) fn cache<M: Model>(&self) -> Result<CacheFormat> {
        let Some(name) = &self.cache else { return Ok(CacheFormat::default()) };
        if !M::INFO.generates {
            return Err(usage(format!("`{}` keeps no keys and values that --cache could be about", M::INFO.name)));
        }
        CacheFormat::named(name)
            .ok_or_else(|| unnamed(name, "format of a cache", &CacheFormat::ALL.map(CacheFormat::name)))
    }

    /// The context that the options ask for.
    pub(super) fn context(&self) -> Result<Context> {
        context(self.threads, self.precision()?)
    }

    /// How exact products are asked to be.
    pub(super) fn precision(&self) -> Result<Precision> {
        let Some(name) = &self.precision else { return Ok(Precision::default()) };
        Precision::named(name)
            .ok_or_else(|| unnamed(name, "precision of products", &Precision::ALL.map(Precision::name)))
    }
}

/// A context of so many threads; of all, where none are asked for.
pub(super) fn context(threads: Option<usize>, precision: Precision) -> Result<Context> {
    match threads {
        None | Some(1..=1024) => Context::open(threads, precision),
        Some(_) => Err(usage("--threads is between 1 and 1024")),
    }
}

/// A name that none of those in question has.
fn unnamed(name: &str, what: &str, names: &[&str]) -> Error {
    Error::usage("usage", format!("`{name}` is no {what}")).help(format!("one of {}", names.join(", ")))
}

/// A wrong command line.
pub(super) fn usage(message: impl Into<String>) -> Error {
    Error::usage("usage", message).help(USAGE)
}

/// The command and its options. Each command accepts its own options only.
pub(super) fn parse(arguments: Vec<OsString>) -> Result<(String, Options)> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let wrong = |error: lexopt::Error| usage(error.to_string());
    let mut options = Options::default();
    let mut command = String::new();
    while let Some(argument) = parser.next().map_err(wrong)? {
        match argument {
            Long("help") | Short('h') => return Ok(("help".to_string(), options)),
            Value(value) if command.is_empty() => command = value.to_string_lossy().into_owned(),
            Long(name) => {
                let name = name.to_string();
                set(&command, &name, &mut parser, &mut options)?;
            }
            Short('n') => set(&command, "n", &mut parser, &mut options)?,
            other => return Err(wrong(other.unexpected())),
        }
    }
    if command.is_empty() {
        return Err(usage("a command is missing"));
    }
    Ok((command, options))
}

fn set(command: &str, name: &str, parser: &mut lexopt::Parser, options: &mut Options) -> Result<()> {
    let known = match command {
        "forward" => {
            matches!(
                name,
                "weights"
                    | "hold"
                    | "dtype"
                    | "cache"
                    | "precision"
                    | "input"
                    | "output"
                    | "greedy"
                    | "hidden"
                    | "threads"
            )
        }
        "verify" => {
            matches!(name, "weights" | "hold" | "dtype" | "cache" | "precision" | "input" | "tolerance" | "threads")
        }
        "quantize" => matches!(name, "weights" | "dtype" | "output" | "threads" | "json"),
        "serve" => matches!(name, "weights" | "hold" | "dtype" | "cache" | "precision" | "features" | "threads"),
        "score" => {
            matches!(name, "weights" | "hold" | "dtype" | "cache" | "precision" | "window" | "stride" | "threads")
        }
        "generate" => {
            !matches!(name, "input" | "output" | "greedy" | "hidden" | "tolerance" | "window" | "stride" | "json")
        }
        "bench" => {
            matches!(name, "weights" | "hold" | "dtype" | "cache" | "precision" | "mixed" | "json")
                || Bench::NAMES.contains(&name)
        }
        _ => false,
    };
    if !known {
        return Err(usage(format!("`{command}` has no option `{name}`")));
    }
    match name {
        "hidden" => options.hidden = true,
        "json" => {
            options.bench.json();
            options.json = true;
        }
        "mixed" => options.bench.mixed(),
        "lines" => options.lines = true,
        "early-stopping" => options.early_stopping = true,
        _ => return set_value(command, name, parser, options),
    }
    Ok(())
}

fn set_value(command: &str, name: &str, parser: &mut lexopt::Parser, options: &mut Options) -> Result<()> {
    let value = parser.value().map_err(|error| usage(error.to_string()))?;
    match name {
        _ if command == "bench" && Bench::NAMES.contains(&name) => options.bench.set(name, &value)?,
        "weights" => options.weights = Some(value.into()),
        "input" => options.input = Some(value.into()),
        "output" => options.output = Some(value.into()),
        "features" => options.features = Some(value.into()),
        "hold" => options.hold = Some(value.to_string_lossy().into_owned()),
        "dtype" => options.dtype = Some(value.to_string_lossy().into_owned()),
        "cache" => options.cache = Some(value.to_string_lossy().into_owned()),
        "precision" => options.precision = Some(value.to_string_lossy().into_owned()),
        "threads" => options.threads = Some(number(name, &value)?),
        "greedy" => options.greedy = Some(number(name, &value)?),
        "tolerance" => options.tolerance = Some(number(name, &value)?),
        "window" => options.window = Some(number(name, &value)?),
        "stride" => options.stride = Some(number(name, &value)?),
        "n" => options.count = Some(number(name, &value)?),
        "temperature" => options.sampling.temperature = number(name, &value)?,
        "top-k" => options.sampling.top_k = number(name, &value)?,
        "top-p" => options.sampling.top_p = number(name, &value)?,
        "min-p" => options.sampling.min_p = number(name, &value)?,
        "repetition-penalty" => options.sampling.repetition_penalty = number(name, &value)?,
        "seed" => options.sampling.seed = number(name, &value)?,
        "stop-id" => options.stop.push(number(name, &value)?),
        "decoder-start" => options.decoder_start.push(number(name, &value)?),
        "logprobs" => options.logprobs = Some(number(name, &value)?),
        "batch" => options.batch = Some(number(name, &value)?),
        "beams" => options.beams = Some(number(name, &value)?),
        "length-penalty" => options.length_penalty = Some(number(name, &value)?),
        _ => return Err(usage(format!("unknown option `{name}`"))),
    }
    Ok(())
}

/// The value of an option as a number.
pub(super) fn number<T: FromStr>(name: &str, value: &OsString) -> Result<T> {
    let text = value.to_string_lossy();
    text.parse().map_err(|_| usage(format!("`{text}` is no value for `{name}`")))
}
