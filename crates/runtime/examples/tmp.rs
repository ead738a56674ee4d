#[path = "../tests/support/mod.rs"]
mod support;
fn main() -> std::process::ExitCode { formwork_runtime::runner::main::<support::Decoder>() }
