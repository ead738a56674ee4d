//! Runs gpt2 from the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    formwork_runtime::runner::main::<gpt2::CausalLm>()
}
