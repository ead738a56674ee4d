//! `score`: ids in, their perplexity out, as JSON.

use formwork_tensor::Result;
use serde_json::json;

use super::args::Options;
use super::generate::read_ids;
use super::print;
use crate::model::{Model, load_held};
use crate::scoring::score;

/// The version of the keys.
const SCHEMA: u32 = 1;

/// Tokens of a window where neither the options nor the model limit it.
const WINDOW: usize = 2048;

pub(super) fn run<M: Model>(options: &Options) -> Result<()> {
    let ctx = options.context()?;
    let model: M = load_held(options.weights()?, options.holding()?)?;
    let window = options.window.unwrap_or_else(|| M::INFO.max_positions.map_or(WINDOW, |max| max.min(WINDOW)));
    let stride = options.stride.unwrap_or(window);
    let score = score(&model, &ctx, &read_ids()?, window, stride, options.cache::<M>()?)?;
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
