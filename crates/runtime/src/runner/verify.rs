//! `verify`: the model's outputs beside those that a case holds.

use formwork_tensor::{Error, Result};

use super::args::{Options, usage};
use super::case::{self, Case, decodes};
use super::compare::{Line, compare, first_divergence, table};
use super::print;
use crate::model::Model;
use crate::weights::SafeTensors;
use crate::weights::writer::{Numbers, Output};

pub(super) fn run<M: Model>(options: &Options) -> Result<()> {
    let tolerance = options.tolerance.unwrap_or(1e-4);
    if !(tolerance.is_finite() && tolerance >= 0.0) {
        return Err(usage("--tolerance is 0 or more"));
    }
    let (ctx, format) = (options.context()?, options.cache::<M>()?);
    let file = SafeTensors::open(options.input()?)?;
    let cases = case::read(&file)?;
    let model: M = options.model(&ctx)?;
    let mut lines = Vec::new();
    for case in &cases {
        for output in case.answer(&model, &ctx, true, format)? {
            lines.extend(check::<M>(&file, case, &output, tolerance)?);
        }
    }
    let greedy = file.describe("greedy.ids").map(|(_, dims)| dims.iter().product::<usize>());
    if let Some(count) = greedy.filter(|_| M::INFO.generates) {
        for output in cases[0].greedy(&model, &ctx, count, format)? {
            lines.extend(check::<M>(&file, &cases[0], &output, tolerance)?);
        }
    }
    if lines.is_empty() {
        let message = format!("{} holds nothing that this model produces", file.path().display());
        return Err(Error::new("nothing-to-verify", message));
    }
    print(&table(&lines))?;
    let rest: Vec<&str> = file.names().filter(|name| !is_compared(&file, name, &lines)).collect();
    if !rest.is_empty() {
        print(&format!("\nnot produced, so not compared: {}", rest.join(", ")))?;
    }
    let failed = lines.iter().filter(|line| !line.ok).count();
    if failed == 0 {
        return Ok(());
    }
    let first = first_divergence(&lines);
    let message = format!("{failed} of {} outputs differ, first `{first}`", lines.len());
    Err(Error::verification("diverges", message))
}

/// Compares one output with the one of its name in the case, if there is one.
fn check<M: Model>(file: &SafeTensors, case: &Case, output: &Output, tolerance: f32) -> Result<Option<Line>> {
    let name = name_in(file, output);
    let Some((dtype, dims)) = file.describe(&name) else {
        return Ok(None);
    };
    match &output.numbers {
        Numbers::Integers(ids) => {
            // Where the reference's own cache is at fault, its continuation without one counts.
            let names = ["greedy.uncached_ids", output.name.as_str()];
            let right = names.into_iter().find_map(|name| file.integers(name));
            let wrong = right.iter().flatten().zip(ids).filter(|(right, id)| right != id).count();
            let ok = right.is_some_and(|right| right.len() == ids.len()) && wrong == 0;
            Ok(Some(Line { name: output.name.clone(), difference: wrong as f32, limit: 0.0, ok }))
        }
        Numbers::Floats(_) if output.name == "greedy.logits" && cache_at_fault(file) => Ok(None),
        Numbers::Floats(floats) => {
            let Some(reference) = file.param(&name) else {
                let message = format!("`{name}` is {dtype}; outputs are F32");
                return Err(Error::new("input-dtype", message));
            };
            if dims != output.dims {
                let message = format!("`{name}` is {dims:?}, not {:?}", output.dims);
                return Err(Error::verification("diverges", message));
            }
            let own = output.name.strip_prefix(&case.prefix).unwrap_or(&output.name);
            let follows = dims.len() == 3 && (!decodes::<M>() || own.starts_with("encoder_"));
            let mask = case.mask.as_deref().filter(|_| follows);
            let width = dims.last().copied().unwrap_or(1);
            let reference = reference.to_f32();
            Ok(Some(compare(&name, floats, &reference, mask, width, tolerance)))
        }
    }
}

/// Whether a tensor of a case is an input, was compared, or stands aside for one that was.
fn is_compared(file: &SafeTensors, name: &str, lines: &[Line]) -> bool {
    let input = case::INPUTS.contains(&name.rsplit('.').next().unwrap_or(name));
    let uncached = name.strip_prefix("greedy.uncached_");
    let aside = uncached.is_some() || name == "greedy.logits" && cache_at_fault(file);
    input || aside || lines.iter().any(|line| line.name == name)
}

/// What a file calls an output: a classifier's scores stand there as logits.
fn name_in(file: &SafeTensors, output: &Output) -> String {
    let scores = output.name.strip_suffix("last_hidden_state").map(|prefix| format!("{prefix}logits"));
    let fits = |name: &String| file.describe(name).is_some_and(|(_, dims)| dims == output.dims);
    scores.filter(|name| file.describe(&output.name).is_none() && fits(name)).unwrap_or_else(|| output.name.clone())
}

/// Whether the reference gives other ids with its cache than without.
fn cache_at_fault(file: &SafeTensors) -> bool {
    let uncached = file.integers("greedy.uncached_ids");
    uncached.is_some() && uncached != file.integers("greedy.ids")
}
