//! Runs llama-3-8b from the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    formwork_runtime::runner::main::<llama_3_8b::CausalLm>()
}
