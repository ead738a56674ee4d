//! `generate` for whole answers: several prompts side by side, or one after the other by beam search; a JSON object for each.

use formwork_tensor::{Context, Result};
use serde_json::{Value, json};

use super::args::{Options, usage};
use super::print;
use crate::batch::{Chosen, Continue, continue_all};
use crate::beams::{BeamSearch, beam_search};
use crate::model::Model;
use crate::sampling::Sampling;

/// Prompts that are continued side by side unless told.
const BATCH: usize = 8;

/// Answers every prompt and prints `ids`, whether an id of `stop` ended them, and what else was asked for.
pub(super) fn run<M: Model>(
    model: &M,
    ctx: &Context,
    prompts: &[Vec<u32>],
    start: Option<Vec<u32>>,
    count: usize,
    options: &Options,
) -> Result<()> {
    let cache = options.cache::<M>()?;
    if let Some(beams) = options.beams {
        if options.sampling != Sampling::default() || options.logprobs.is_some() || options.batch.is_some() {
            return Err(usage("--beams goes with no option of sampling, with no --logprobs and with no --batch"));
        }
        let search = BeamSearch {
            beams,
            count,
            length_penalty: options.length_penalty.unwrap_or(1.0),
            early_stopping: options.early_stopping,
            stop: options.stop.clone(),
            forced: start.as_ref().map_or(0, |start| start.len() - 1),
            cache,
        };
        return beams_of(model, ctx, prompts, start.as_deref(), &search);
    }
    let batch = options.batch.unwrap_or(BATCH);
    if batch == 0 {
        return Err(usage("--batch is 1 or more"));
    }
    let stop = options.stop.clone();
    let options = Continue { count, sampling: options.sampling, stop, start, alternatives: options.logprobs, cache };
    for prompts in prompts.chunks(batch) {
        for answer in continue_all(model, ctx, prompts, &options)? {
            let mut line = json!({"ids": answer.ids, "ended": answer.ended});
            if options.alternatives.is_some() {
                line["likelihoods"] = answer.likelihoods.iter().map(likelihood).collect();
            }
            print(&line.to_string())?;
        }
    }
    Ok(())
}

fn beams_of<M: Model>(
    model: &M,
    ctx: &Context,
    prompts: &[Vec<u32>],
    start: Option<&[u32]>,
    search: &BeamSearch,
) -> Result<()> {
    for prompt in prompts {
        let found = match start {
            Some(start) => beam_search(model, ctx, start, Some(prompt), search)?,
            None => beam_search(model, ctx, prompt, None, search)?,
        };
        if let Some(best) = found.first() {
            print(&json!({"ids": best.ids, "ended": best.ended, "score": best.score}).to_string())?;
        }
    }
    Ok(())
}

/// `{"id": 5, "logprob": -0.1, "likeliest": [[5, -0.1], [7, -2.9]]}`
pub(super) fn likelihood(chosen: &Chosen) -> Value {
    json!({"id": chosen.id, "logprob": chosen.logprob, "likeliest": chosen.likeliest})
}
