//! Runs stories-260k from the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    formwork_runtime::runner::main::<stories_260k::CausalLm>()
}
