//! `score`: ids in, their perplexity out, as JSON.

use formwork_tensor::Result;
use serde_json::json;

use super::args::Options;
use super::generate::read_ids;
use super::print;
use crate::model::Model;
use crate::scoring::{Windows, score};

/// The version of the keys.
const SCHEMA: u32 = 1;

pub(super) fn run<M: Model>(options: &Options) -> Result<()> {
    let ctx = options.context()?;
    let model: M = options.model(&ctx)?;
    let windows = Windows::new(options.window, options.stride, M::INFO.max_positions)?;
    let score = score(&model, &ctx, &read_ids()?, windows, options.cache::<M>()?)?;
    let figures = json!({
        "schema": SCHEMA,
        "perplexity": score.perplexity(),
        "nll": score.nll,
        "tokens": score.tokens,
        "window": windows.window(),
        "stride": windows.stride(),
    });
    print(&figures.to_string())
}
