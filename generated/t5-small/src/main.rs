//! Runs t5-small from the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    formwork_runtime::runner::main::<t5_small::Seq2seq>()
}
