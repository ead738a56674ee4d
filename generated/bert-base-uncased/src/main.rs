//! Runs bert-base-uncased from the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    formwork_runtime::runner::main::<bert_base_uncased::MaskedLm>()
}
