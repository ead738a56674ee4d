//! `bench`: tokens per second beside the limits of the machine, measured in the same run.
//!
//! Tests carry llama-bench's names: `pp512` reads 512 tokens at once, `tg128` reads 128 one after the other, `@ d512` after
//! 512 tokens that are in the cache, `x8` for 8 sequences side by side, `mixed` where their lengths differ. Every round runs each test once and then takes one
//! sample of each limit, so that a machine that changes its mind changes it for all.

mod machine;
mod measure;
mod options;
mod plan;
mod report;
mod sample;
mod work;

use std::time::Instant;

use formwork_tensor::{Context, Precision, Result};

pub(super) use options::Bench;
pub use plan::{Kind, Plan, Test};
pub use work::Work;

use super::args::{Options, context, usage};
use super::case::decodes;
use super::print;
use crate::inputs::check_room;
use crate::model::{Model, load_from};
use crate::weights::Weights;
use machine::Limits;
use report::{Loaded, Report, Row};
use sample::Sample;

/// The seed of weights that no checkpoint gives.
const SEED: u64 = 0;

pub(super) fn run<M: Model>(options: &Options) -> Result<()> {
    let bench = &options.bench;
    let tests = bench.plan().tests(M::INFO.generates && !decodes::<M>())?;
    if bench.plan().mixed && decodes::<M>() {
        return Err(usage("--mixed is for models that read texts whole"));
    }
    let contexts = contexts(bench, options.precision()?)?;
    for test in &tests {
        let room = check_room(&M::INFO, test.depth + test.tokens);
        room.map_err(|error| error.help("ask for less with --pp, --tg and --depth"))?;
    }
    let (model, loaded) = load::<M>(options, &contexts)?;
    let mut report = Report::new::<M>(options, loaded)?;
    report.rows = rows(&tests, &contexts);
    measure(&model, &contexts, bench, &mut report)?;
    print(&if bench.json { report.json(bench) } else { report.table(bench) })
}

/// The model, loaded on as many threads as any of the tests has, and what there is to say of it.
fn load<M: Model>(options: &Options, contexts: &[Context]) -> Result<(M, Loaded)> {
    let threads = contexts.iter().map(|ctx| ctx.device().threads().count()).max().unwrap_or(1);
    let start = Instant::now();
    let weights = match options.weights() {
        Ok(path) => Weights::open(path, &M::INFO.mapping)?,
        Err(_) => Weights::synthetic(SEED, &M::INFO.mapping),
    };
    let weights = weights.hold(options.holding()?).threads(threads);
    let model = load_from(&weights)?;
    let (seconds, level) = (start.elapsed().as_secs_f64(), contexts[0].device().simd().level());
    Ok((model, Loaded { seconds, format: weights.format(), held: weights.places(), level }))
}

/// One context for each number of threads.
fn contexts(bench: &Bench, precision: Precision) -> Result<Vec<Context>> {
    match &bench.threads[..] {
        [] => Ok(vec![context(None, precision)?]),
        listed => listed.iter().map(|threads| context(Some(*threads), precision)).collect(),
    }
}

fn rows(tests: &[Test], contexts: &[Context]) -> Vec<Row> {
    let row = |test: &Test, context: usize| Row { test: *test, context, seconds: Sample::default() };
    (0..contexts.len()).flat_map(|context| tests.iter().map(move |test| row(test, context))).collect()
}

/// All rounds. The limits take memory of their own, so the peak is read before they are first taken.
fn measure<M: Model>(model: &M, contexts: &[Context], bench: &Bench, report: &mut Report) -> Result<()> {
    for row in &report.rows {
        // Pages of a mapped checkpoint, and buffers, come with the first step.
        let first = Test { tokens: 1, depth: 0, ..row.test };
        measure::seconds(model, &contexts[row.context], &first, report.cache)?;
    }
    for _ in 0..bench.repeat {
        for row in &mut report.rows {
            row.seconds.push(measure::seconds(model, &contexts[row.context], &row.test, report.cache)?);
        }
        if report.limits.is_empty() {
            report.peak_memory = machine::peak_memory();
            let bytes = report.bytes_of_a_pass(bench);
            report.limits = contexts.iter().map(|ctx| (ctx.device().threads().count(), Limits::new(bytes))).collect();
        }
        for ((_, limits), ctx) in report.limits.iter_mut().zip(contexts) {
            limits.sample(ctx);
        }
    }
    Ok(())
}
