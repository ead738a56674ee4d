//! `verify`: the generated crate beside reference outputs.

use crate::args::{Global, Verify};
use crate::problem::Outcome;

pub(super) fn run(options: &Verify, global: &Global) -> Outcome {
    let tolerance = options.tolerance.to_string();
    let arguments = vec!["--input".into(), options.input.clone().into(), "--tolerance".into(), tolerance.into()];
    super::forward::pass("verify", &options.target, arguments, global)
}
