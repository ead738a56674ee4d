//! Loading specs as the command line asks.

use std::path::Path;

use formwork_compiler::{Compiled, Options};
use formwork_diag::SourceMap;
use formwork_ir::Library;

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

/// Every family.
pub(crate) fn whole_library(global: &Global) -> Result<Library, Problem> {
    let mut sources = SourceMap::default();
    let library = formwork_compiler::whole_library(&options(global), &mut sources, &mut Vec::new());
    library.map_err(|diagnostics| Problem { exit: 1, diagnostics, sources })
}
