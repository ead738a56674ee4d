//! `tokenizer`: text to ids and back, and what is to be known of tokenizers.

mod bar;
mod explain;
mod inspect;
mod prepare;
pub(super) mod spec;
mod text;
mod train;

use std::path::Path;

use bar::Bar;

use crate::args::Global;
use crate::problem::{Outcome, Problem};
use crate::tokenizer_args::Tokenizer;

pub(super) fn run(command: &Tokenizer, global: &Global) -> Outcome {
    match command {
        Tokenizer::Encode(options) => text::encode(options, global),
        Tokenizer::Decode(options) => text::decode(options, global),
        Tokenizer::Inspect(options) => inspect::run(options, global),
        Tokenizer::Explain(options) => explain::run(options, global),
        Tokenizer::Train(options) => train::run(options, global),
        Tokenizer::Prepare(options) => prepare::run(options, global),
    }
}

/// Standard input as text.
fn standard_input() -> Result<String, Problem> {
    crate::texts::text(Path::new("-"))
}
