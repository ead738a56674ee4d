//! `bench`: the generated crate on the clock, with the work of each test as the analysis counts it.

use std::collections::BTreeMap;

use formwork_analysis::{AnalysisError, Questions, Work, working_memory};
use formwork_ir::Model;
use formwork_runtime::runner::bench::{self, Kind, Plan, Test};
use formwork_runtime::{CacheFormat, Mix};

use super::forward::status_of;
use crate::args::{Bench, Global};
use crate::cache::{self, Source};
use crate::problem::{Outcome, Problem};
use crate::{memory, program, specs};

pub(super) fn run(options: &Bench, global: &Global) -> Outcome {
    let model = specs::load(&options.spec, global)?.model;
    let plan = Plan {
        pp: options.pp.clone(),
        tg: options.tg.clone(),
        depth: options.depth.clone(),
        batch: options.batch.clone(),
        mixed: options.mixed,
    };
    let tests = plan.tests(model.generates())?;
    let cache = options.holding.cache.as_deref().and_then(CacheFormat::named).unwrap_or_default();
    let planned = formwork_ir::plan::plan(&model).model;
    let work = work(&planned, &tests, cache).map_err(no_figure)?;
    check_memory(&planned, &tests, cache)?;
    let executable = cache::executable(&model, &Source::find(options.runtime.as_deref())?, global.verbose)?;
    let mut command = program::command(&executable, "bench", global);
    command.arg("--repeat").arg(options.repeat.to_string());
    if let Some(weights) = &options.weights {
        command.arg("--weights").arg(weights);
    }
    options.holding.pass(&mut command);
    let lists = [
        ("--pp", &options.pp),
        ("--tg", &options.tg),
        ("--depth", &options.depth),
        ("--batch", &options.batch),
        ("--threads", &options.threads),
    ];
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        let words: Vec<String> = list.iter().map(usize::to_string).collect();
        command.arg(name).arg(words.join(","));
    }
    command.arg("--work").arg(serde_json::json!(work).to_string());
    for (name, is_asked) in [("--mixed", options.mixed), ("--json", options.json)] {
        if is_asked {
            command.arg(name);
        }
    }
    let status = command.status().map_err(|e| Problem::io(&executable, &e))?;
    status_of(status.code())
}

/// Refuses tests that need more memory than the system has left, weights aside: a process without memory is ended, not asked.
fn check_memory(model: &Model, tests: &[Test], cache: CacheFormat) -> Result<(), Problem> {
    let Some(left) = memory::left() else { return Ok(()) };
    for test in tests {
        let pass = test.tokens.div_ceil(test.passes(model.generates()));
        let last = question(test, pass, test.depth + test.tokens - pass);
        let needed = working_memory(model, &last, cache).map_err(no_figure)?;
        if needed > left {
            let gib = |bytes: u128| bytes as f64 / f64::from(1 << 30);
            let message =
                format!("`{test}` needs {:.1} GiB beside the weights; {:.1} are left", gib(needed), gib(left));
            return Err(Problem::wrong("no-memory", message).help("ask for less with --batch, --pp and --depth"));
        }
    }
    Ok(())
}

fn no_figure(error: AnalysisError) -> Problem {
    Problem::wrong("no-figure", error.to_string())
}

/// A pass of a test over so many tokens after others.
fn question(test: &Test, seq: usize, context: usize) -> Questions {
    Questions { batch: test.batch as u128, seq: seq as u128, context: context as u128, ..Questions::default() }
}

/// The work of every test by its name.
fn work(model: &Model, tests: &[Test], cache: CacheFormat) -> Result<BTreeMap<String, bench::Work>, AnalysisError> {
    let mut all = BTreeMap::new();
    for test in tests {
        let mut weights = BTreeMap::new();
        let mut last = Work::default();
        for mix in Mix::ALL {
            last = of(model, test, mix, cache)?;
            weights.insert(mix.name().to_string(), small(last.weights)?);
        }
        let work = bench::Work { flops: small(last.flops)?, cache: small(last.cache)?, weights };
        all.insert(test.to_string(), work);
    }
    Ok(all)
}

/// All passes of a test: a prompt's FLOPs are those of the whole prompt, a step of decoding is taken in the middle.
fn of(model: &Model, test: &Test, mix: Mix, cache: CacheFormat) -> Result<Work, AnalysisError> {
    let passes = test.passes(model.generates()) as u128;
    match test.kind {
        Kind::Prompt => {
            let work = match test.mixed {
                true => of_lengths(model, test, mix, cache)?,
                false => Work::forward(model, &question(test, test.tokens, test.depth), mix, cache)?,
            };
            Ok(Work { weights: work.weights.saturating_mul(passes), ..work })
        }
        Kind::Generate => {
            let middle = question(test, 1, test.depth + test.tokens / 2);
            let work = Work::decode(model, &middle, mix, cache)?.unwrap_or_default();
            let [flops, weights, cache] = [work.flops, work.weights, work.cache].map(|n| n.saturating_mul(passes));
            Ok(Work { flops, weights, cache })
        }
    }
}

/// A pass over sequences of different lengths.
fn of_lengths(model: &Model, test: &Test, mix: Mix, cache: CacheFormat) -> Result<Work, AnalysisError> {
    let mut all = Work::default();
    for length in test.lengths() {
        let work = Work::forward(model, &question(&Test { batch: 1, ..*test }, length, 0), mix, cache)?;
        all = Work { flops: all.flops + work.flops, cache: all.cache + work.cache, weights: work.weights };
    }
    Ok(all)
}

/// A count that a benchmark can finish.
fn small(count: u128) -> Result<u64, AnalysisError> {
    u64::try_from(count).map_err(|_| AnalysisError::BadQuestion("the tests take longer than anybody can wait".into()))
}
