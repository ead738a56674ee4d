//! `score`: ids in, their perplexity out, as JSON.

use formwork_tensor::Result;
use serde_json::json;

use super::args::Options;
use super::generate::read_ids;
use super::print;
use crate::model::{Model, load_held};
use crate::scoring::score_by_window;

/// The version of the keys.
const SCHEMA: u32 = 1;

pub(super) fn run<M: Model>(options: &Options) -> Result<()> {
    let ctx = options.context()?;
    let model: M = load_held(options.weights()?, options.holding()?)?;
    let format = options.cache::<M>()?;
    let (score, window, stride) = score_by_window(&model, &ctx, &read_ids()?, options.window, options.stride, format)?;
    let figures = json!({
        "schema": SCHEMA,
        "perplexity": score.perplexity(),
        "nll": score.nll,
        "tokens": score.tokens,
        "window": window,
        "stride": stride,
    });
    print(&figures.to_string())
}
