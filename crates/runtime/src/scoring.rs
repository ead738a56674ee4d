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
    /// Tokens that were predicted: all but the first of the text, and of every window that shares none with the one before.
    pub tokens: usize,
}

impl Score {
    /// `e^(nll / tokens)`.
    pub fn perplexity(&self) -> f64 {
        (self.nll / self.tokens as f64).exp()
    }
}

/// Tokens of a window where neither the caller nor the model limits it.
const WINDOW: usize = 2048;

/// How a text that is longer than a model reads is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    window: usize,
    stride: usize,
}

impl Windows {
    /// As asked for; else windows of what the model reads, at most 2048, side by side.
    ///
    /// # Errors
    /// `usage` for a window below two tokens, a stride of 0 or one beyond the window.
    pub fn new(window: Option<usize>, stride: Option<usize>, max_positions: Option<usize>) -> Result<Self> {
        let window = window.unwrap_or_else(|| max_positions.map_or(WINDOW, |max| max.min(WINDOW)));
        let stride = stride.unwrap_or(window);
        if stride == 0 || stride > window || window < 2 {
            let message = format!("windows of {window} tokens cannot start {stride} tokens apart");
            let help = "a window has two tokens or more, and the stride is between 1 and it";
            return Err(Error::usage("usage", message).help(help));
        }
        Ok(Self { window, stride })
    }

    /// Tokens that are read at once.
    pub fn window(self) -> usize {
        self.window
    }

    /// Tokens from the start of one window to the start of the next.
    pub fn stride(self) -> usize {
        self.stride
    }
}

/// Predicts every token after the first from those before it within a window. Where windows overlap, all but the first have
/// `window - stride` tokens that are context alone. Keys and values are kept in `format` before they are read.
///
/// # Errors
/// `not-generative`; `empty-input` for fewer than two tokens; `context-too-long` if the window is longer than the model's.
pub fn score<M: Model>(model: &M, ctx: &Context, ids: &[u32], windows: Windows, format: CacheFormat) -> Result<Score> {
    if !M::INFO.generates {
        return Err(Error::new("not-generative", format!("`{}` does not predict the next token", M::INFO.name)));
    }
    if ids.len() < 2 {
        return Err(Error::new("empty-input", format!("{} tokens leave none to predict", ids.len())));
    }
    let mut score = Score { nll: 0.0, tokens: 0 };
    let mut predicted = 1;
    for start in (0..).step_by(windows.stride) {
        let end = (start + windows.window).min(ids.len());
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
