//! The command line of a generated crate.

use std::process::ExitCode;

use crate::model::Model;

/// The whole `main` of a generated crate.
pub fn main<M: Model>() -> ExitCode {
    println!("{}", M::INFO.name);
    ExitCode::SUCCESS
}
