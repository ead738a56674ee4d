//! How likely a model finds a text.

use formwork_ops::{CacheFormat, Room};
use formwork_tensor::{Context, Error, Ids, Result};

use crate::inputs::Request;
use crate::likelihood::LogSoftmax;
use crate::model::Model;

/// The sum of negative log-likelihoods, in nats, and of how many tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The sum.
    pub nll: f64,
    /// Tokens that were predicted: all but the first.
    pub tokens: usize,
}

impl Score {
    /// `e^(nll / tokens)`.
    pub fn perplexity(&self) -> f64 {
        (self.nll / self.tokens as f64).exp()
    }
}

/// Predicts every token after the first from those before it within a window. Windows start `stride` tokens apart, so that
/// with a stride below the window each one but the first has `window - stride` tokens that are context alone. Keys and values are
/// kept in `format` before they are read.
///
/// # Errors
/// `not-generative`; `usage` for a stride of 0 or beyond the window; `empty-input` for fewer than two tokens; `context-too-long`
/// if the window is longer than the model's.
pub fn score<M: Model>(
    model: &M,
    ctx: &Context,
    ids: &[u32],
    window: usize,
    stride: usize,
    format: CacheFormat,
) -> Result<Score> {
    if !M::INFO.generates {
        return Err(Error::new("not-generative", format!("`{}` does not predict the next token", M::INFO.name)));
    }
    if stride == 0 || stride > window || window < 2 {
        let message = format!("windows of {window} tokens cannot start {stride} tokens apart");
        return Err(
            Error::usage("usage", message).help("a window has two tokens or more, and the stride is between 1 and it")
        );
    }
    if ids.len() < 2 {
        return Err(Error::new("empty-input", format!("{} tokens leave none to predict", ids.len())));
    }
    let mut score = Score { nll: 0.0, tokens: 0 };
    let mut predicted = 1;
    for start in (0..).step_by(stride) {
        let end = (start + window).min(ids.len());
        let request = Request::new(Ids::new(ids[start..end].to_vec(), 1)?, 0);
        let inputs = request.inputs::<M>()?;
        let logits = model.forward(ctx, &inputs, &mut M::cache(1, Room { tokens: end - start, format }));
        ctx.take_failure()?;
        let width = logits.dims().width();
        let first = predicted.max(start + 1);
        let rows = logits.data()[(first - 1 - start) * width..].chunks_exact(width);
        for (row, id) in rows.zip(&ids[first..end]) {
            score.nll -= LogSoftmax::of(row).at(*id);
            score.tokens += 1;
        }
        predicted = end;
        if end == ids.len() {
            break;
        }
    }
    Ok(score)
}
