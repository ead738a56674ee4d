//! What is worth reporting of a file of which a part does not parse.

use formwork_diag::{Diagnostic, Diagnostics, SourceMap};
use formwork_ir::Model;

/// Said of what is missing, which may stand in the part that does not parse.
const OF_ABSENCE: &[&str] = &["empty-file", "no-family", "no-entry-point"];

/// The diagnostics of the parts that parse, less those that only say that a broken part is not there.
pub(crate) fn independent(result: Result<Model, Diagnostics>, broken: &[String], sources: &SourceMap) -> Diagnostics {
    let mut diagnostics = result.err().unwrap_or_default();
    diagnostics.retain(|diagnostic| !follows(diagnostic, broken, sources));
    diagnostics
}

fn follows(diagnostic: &Diagnostic, broken: &[String], sources: &SourceMap) -> bool {
    let Some(primary) = &diagnostic.primary else { return true };
    let text = sources.text(primary.span);
    let names = || text.split(|c: char| !c.is_alphanumeric() && c != '_');
    OF_ABSENCE.contains(&diagnostic.code) || names().any(|word| broken.iter().any(|name| name == word))
}
