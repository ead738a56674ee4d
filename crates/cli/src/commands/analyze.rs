//! `analyze`: the figures of a spec, one or beside another's.

use std::path::Path;

use formwork_analysis::{AnalysisError, Assertion, AttentionCount, Machine, Questions, Report};
use formwork_diag::did_you_mean;

use crate::args::{Analyze, Counted, Global};
use crate::output::say;
use crate::problem::{Outcome, Problem};
use crate::specs;

pub(super) fn run(options: &Analyze, global: &Global) -> Outcome {
    let questions = questions(options)?;
    let assertions = options.assertions.iter().map(|text| Assertion::parse(text)).collect::<Result<Vec<_>, _>>();
    let assertions = assertions.map_err(|error| Problem::usage("bad-assertion", error.to_string()))?;
    let model = specs::load(&options.spec, global)?.model;
    let report = formwork_analysis::report(&model, &questions).map_err(refused)?;
    let text = match &options.diff {
        Some(other) => compare(&report, other, options.json, global)?,
        None if options.explain => {
            let waterfall = formwork_analysis::explain(&model).map_err(refused)?;
            if options.json { waterfall.figures().json() } else { waterfall.text() }
        }
        None if options.json => report.json(),
        None => report.table(),
    };
    say(&text)?;
    check(&assertions, &report)
}

fn questions(options: &Analyze) -> Result<Questions, Problem> {
    let attention = match options.attention {
        Counted::Dense => AttentionCount::Dense,
        Counted::Masked => AttentionCount::Masked,
    };
    let machine = options.machine.as_deref().map_or_else(|| Ok(Machine::default()), machine)?;
    Ok(Questions {
        batch: options.batch,
        seq: options.seq,
        source: None,
        context: options.context,
        attention,
        elementwise: options.elementwise,
        machine,
    })
}

/// A machine of the table, or `FLOPS,BYTES`.
fn machine(text: &str) -> Result<Machine, Problem> {
    if let Some(machine) = Machine::named(text) {
        return Ok(machine);
    }
    let peaks =
        text.split_once(',').and_then(|(flops, bytes)| Some((flops.trim().parse().ok()?, bytes.trim().parse().ok()?)));
    if let Some((flops, bytes)) = peaks {
        return Ok(Machine::custom(flops, bytes));
    }
    let known: Vec<&str> = Machine::names().collect();
    let near = did_you_mean(text, known.iter().copied());
    let problem = Problem::usage("unknown-machine", format!("no machine is called `{text}`"))
        .note(format!("known: {}", known.join(", ")));
    Err(problem.help(near.unwrap_or_else(|| "give its peaks: FLOP/s and bytes/s, as in `1e12,90e9`".to_string())))
}

fn compare(report: &Report, other: &Path, json: bool, global: &Global) -> Result<String, Problem> {
    let model = specs::load(other, global)?.model;
    let other = formwork_analysis::report(&model, &report.questions).map_err(refused)?;
    let comparison = formwork_analysis::diff(report, &other).map_err(refused)?;
    Ok(if json { comparison.json() } else { comparison.text() })
}

fn check(assertions: &[Assertion], report: &Report) -> Outcome {
    let figures = report.figures();
    let failed: Vec<String> =
        assertions.iter().filter_map(|a| a.check(&figures).err()).map(|e| e.to_string()).collect();
    if failed.is_empty() {
        return Ok(0);
    }
    Err(Problem::wrong("assertion", failed.join("; ")))
}

fn refused(error: AnalysisError) -> Problem {
    match error {
        AnalysisError::BadQuestion(what) => Problem::usage("bad-question", what),
        other => Problem::wrong("no-figure", other.to_string()),
    }
}
