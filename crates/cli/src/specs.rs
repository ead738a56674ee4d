//! Loading specs as the command line asks.

use std::path::Path;

use formwork_compiler::{Compiled, Options};
use formwork_ir::Model;
use formwork_ops::Role;

use crate::args::Global;
use crate::problem::Problem;

/// The compiler's options.
pub(crate) fn options(global: &Global) -> Options {
    Options { task: global.task.clone(), spec_path: global.spec_path.clone() }
}

/// A spec, compiled.
pub(crate) fn load(spec: &Path, global: &Global) -> Result<Compiled, Problem> {
    Ok(formwork_compiler::load(spec, &options(global))?)
}

/// Parameters, shared ones counted once.
pub(crate) fn parameter_count(model: &Model) -> Option<u128> {
    let entries = formwork_ir::parameters(model);
    let counted = entries.iter().filter(|e| e.role == Role::Param && e.shared.is_none());
    counted.map(|e| u128::try_from(e.numel().constant()?).ok()?.checked_mul(e.copies() as u128)).try_fold(0u128, |sum, n| sum.checked_add(n?))
}
