//! `generate`: ids in, ids out, each on its own line as soon as it is known.

use std::io::Read;

use formwork_tensor::{Error, Result};

use super::args::{Options, usage};
use super::case::decodes;
use super::print;
use crate::model::{Model, load_held};
use crate::session::Session;

/// How many ids are generated unless told.
const COUNT: usize = 32;

pub(super) fn run<M: Model>(options: &Options) -> Result<()> {
    let ctx = options.context()?;
    let count = options.count.unwrap_or(COUNT);
    let model: M = load_held(options.weights()?, options.holding()?)?;
    let ids = read_ids()?;
    let prompt = match (decodes::<M>(), options.decoder_start) {
        (true, Some(start)) => vec![start],
        (false, None) => ids.clone(),
        (true, None) => return Err(usage("an encoder-decoder needs --decoder-start")),
        (false, Some(_)) => return Err(usage("only encoder-decoders take --decoder-start")),
    };
    if prompt.is_empty() {
        return Err(Error::new("empty-input", "the prompt holds no ids"));
    }
    let capacity = prompt.len().saturating_add(count);
    let mut session = Session::new(&model, &ctx, capacity)?;
    if decodes::<M>() {
        session = session.with_source(&ids)?;
    }
    let generation = session.generate(&prompt, count, options.sampling)?;
    for id in generation.stop_at(&options.stop) {
        print(&id?.to_string())?;
    }
    Ok(())
}

/// The whitespace-separated ids of standard input.
pub(super) fn read_ids() -> Result<Vec<u32>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| Error::io("standard input".as_ref(), &error))?;
    let parse = |word: &str| {
        let message = || format!("`{word}` in the prompt is no id");
        word.parse().map_err(|_| Error::new("bad-prompt", message()))
    };
    text.split_whitespace().map(parse).collect()
}
