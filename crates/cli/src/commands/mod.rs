//! One module a command: each turns options into calls and results into text.

mod analyze;
mod bench;
mod chat;
mod check;
mod classify;
mod compile;
mod dump;
mod embed;
mod explain;
mod families;
mod fill_mask;
mod fmt;
mod forward;
mod import;
mod perplexity;
mod quantize;
mod run;
mod schema;
mod tokenizer;
mod verify;

use clap::CommandFactory as _;

use crate::args::{Cli, Command};
use crate::problem::Outcome;

/// Runs the command; gives the exit status.
pub(crate) fn run(cli: &Cli) -> Outcome {
    let global = &cli.global;
    match &cli.command {
        Command::Check { specs } => check::run(specs, global),
        Command::Analyze(options) => analyze::run(options, global),
        Command::Compile(options) => compile::run(options, global),
        Command::Dump { spec, stage } => dump::run(spec, *stage, global),
        Command::Fmt { files, check } => fmt::run(files, *check),
        Command::Schema { family } => schema::run(family, global),
        Command::Explain { code } => explain::run(code.as_deref()),
        Command::Import { config, output } => import::run(config, output.as_deref(), global),
        Command::Families { json } => families::run(*json, global),
        Command::Forward(options) => forward::run(options, global),
        Command::Verify(options) => verify::run(options, global),
        Command::Run(options) => run::run(options, global),
        Command::Bench(options) => bench::run(options, global),
        Command::Chat(options) => chat::run(options, global),
        Command::Embed(options) => embed::run(options, global),
        Command::Classify(options) => classify::run(options, global),
        Command::FillMask(options) => fill_mask::run(options, global),
        Command::Perplexity(options) => perplexity::run(options, global),
        Command::Quantize(options) => quantize::run(options, global),
        Command::Tokenizer(command) => tokenizer::run(command, global),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "formwork", &mut text);
            crate::output::say(&String::from_utf8_lossy(&text))?;
            Ok(0)
        }
    }
}
