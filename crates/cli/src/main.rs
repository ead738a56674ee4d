//! The `formwork` command.
//!
//! Exit status: 0 success, 1 wrong input, 2 wrong usage, 3 verification failed, 4 a file or tool cannot be used, 70 a bug.

mod args;
mod cache;
mod codes;
mod commands;
mod crates;
mod instance;
mod memory;
mod output;
mod problem;
mod program;
mod replace;
mod rustfmt;
mod specs;
mod staged;
mod text_args;
mod texts;
mod tokenizer_args;
mod tree_text;

use std::process::ExitCode;

use clap::Parser as _;

use args::Cli;

/// The exit status of a bug.
const BUG: u8 = 70;

fn main() -> ExitCode {
    let cli = Cli::parse();
    std::panic::set_hook(Box::new(|_| {}));
    match std::panic::catch_unwind(|| commands::run(&cli)) {
        Ok(Ok(status)) => ExitCode::from(status),
        Ok(Err(problem)) => {
            output::report(&problem, &cli.global);
            ExitCode::from(problem.exit)
        }
        Err(panic) => {
            output::bug(panic.as_ref());
            ExitCode::from(BUG)
        }
    }
}
