//! `generate`: ids in, ids out, each on its own line as soon as it is known.

use std::path::Path;

use formwork_ops::Room;
use formwork_tensor::{Context, Error, Result, Tensor};

use super::args::{Options, usage};
use super::case::{self, decodes};
use super::{answers, print};
use crate::batch::Chosen;
use crate::model::Model;
use crate::session::Session;
use crate::weights::SafeTensors;

/// How many ids are generated unless told.
const COUNT: usize = 32;

pub(super) fn run<M: Model>(options: &Options) -> Result<()> {
    let ctx = options.context()?;
    let count = options.count.unwrap_or(COUNT);
    let model: M = options.model(&ctx)?;
    let start = match (decodes::<M>(), options.decoder_start.as_slice()) {
        (true, []) => return Err(usage("an encoder-decoder needs --decoder-start")),
        (false, [_, ..]) => return Err(usage("only encoder-decoders take --decoder-start")),
        (true, start) => Some(start.to_vec()),
        (false, []) => None,
    };
    if options.beams.is_none() && (options.early_stopping || options.length_penalty.is_some()) {
        return Err(usage("--early-stopping and --length-penalty go with --beams"));
    }
    let prompts = if options.lines { read_lines()? } else { vec![read_ids()?] };
    if prompts.is_empty() || prompts.iter().any(Vec::is_empty) {
        return Err(Error::new("empty-input", "the prompt holds no ids"));
    }
    let format = options.cache::<M>()?;
    if options.lines || options.beams.is_some() {
        if options.features.is_some() {
            return Err(usage("--features goes with one prompt, without --lines and --beams"));
        }
        return answers::run(&model, &ctx, &prompts, start, count, options);
    }
    let source = &prompts[0];
    let prompt = start.as_ref().unwrap_or(source);
    let mut session = Session::new(&model, &ctx, Room { tokens: prompt.len().saturating_add(count), format })?;
    if start.is_some() {
        session = session.with_source(source)?;
    }
    if let Some(path) = &options.features {
        session = session.with_features(features::<M>(path, &ctx)?);
    }
    let mut generation = session.generate(prompt, count, options.sampling)?.stop_at(&options.stop);
    while let Some(step) = generation.next_with_logits() {
        let (id, logits) = step?;
        match options.logprobs {
            None => print(&id.to_string())?,
            Some(count) => print(&answers::likelihood(&Chosen::of(&logits, id, count)).to_string())?,
        }
    }
    Ok(())
}

/// The numbers `[1, P, width]` that a file holds under `features`.
pub(super) fn features<M: Model>(path: &Path, ctx: &Context) -> Result<Tensor> {
    if M::features().is_none() {
        return Err(usage(format!("`{}` reads ids alone, no --features", M::INFO.name)));
    }
    let (dims, numbers) = case::numbers(&SafeTensors::open(path)?, "features")?
        .ok_or_else(|| Error::new("missing-input", format!("{} holds no `features`", path.display())))?;
    Ok(ctx.from_slice(&dims, &numbers))
}

/// The whitespace-separated ids of standard input.
pub(super) fn read_ids() -> Result<Vec<u32>> {
    ids_of(&read_text()?)
}

/// The ids of each line of standard input.
fn read_lines() -> Result<Vec<Vec<u32>>> {
    read_text()?.lines().map(ids_of).collect()
}

fn read_text() -> Result<String> {
    std::io::read_to_string(std::io::stdin()).map_err(|error| Error::io("standard input".as_ref(), &error))
}

fn ids_of(text: &str) -> Result<Vec<u32>> {
    let parse = |word: &str| {
        let message = || format!("`{word}` in the prompt is no id");
        word.parse().map_err(|_| Error::new("bad-prompt", message()))
    };
    text.split_whitespace().map(parse).collect()
}
