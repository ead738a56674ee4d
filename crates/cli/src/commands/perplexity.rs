//! `perplexity`: how well a model predicts a text.

use formwork_runtime::Windows;
use formwork_text::{Folder, Generator};
use serde_json::json;

use super::forward::{built_for_texts, command};
use crate::args::{Global, Perplexity};
use crate::output::say;
use crate::problem::Outcome;
use crate::program::{self, Program};

/// The version of the keys.
const SCHEMA: u32 = 1;

pub(super) fn run(options: &Perplexity, global: &Global) -> Outcome {
    let text = crate::texts::text(&options.file)?;
    let executable = built_for_texts(&options.target, global)?;
    let facts = program::facts(&executable)?;
    let generator = Generator::new(&Folder::of(&options.target.weights), &facts)?;
    let windows = Windows::new(options.window, options.stride, facts.max_positions)?;
    let mut engine = Program::start(command(&executable, "serve", &options.target, global))?;
    let score = generator.score(&mut engine, &text, windows)?;
    let (perplexity, nll, tokens) = (score.perplexity(), score.nll, score.tokens);
    if options.json {
        let (window, stride) = (windows.window(), windows.stride());
        let json = json!({"schema": SCHEMA, "perplexity": perplexity, "nll": nll, "tokens": tokens,
            "window": window, "stride": stride});
        say(&format!("{json}\n"))?;
    } else {
        let each = nll / tokens as f64;
        say(&format!("perplexity {perplexity:.6} over {tokens} tokens, {each:.6} nats each\n"))?;
    }
    Ok(0)
}
