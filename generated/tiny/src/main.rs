//! Runs tiny from the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    formwork_runtime::runner::main::<tiny::CausalLm>()
}
