//! `schema`: what the specs of a family may say, for editors.

use formwork_diag::did_you_mean;

use crate::args::Global;
use crate::output::say;
use crate::problem::{Outcome, Problem};
use crate::specs;

pub(super) fn run(family: &str, global: &Global) -> Outcome {
    let library = specs::whole_library(global)?;
    let Some(found) = library.family(family) else {
        let names: Vec<&str> = library.families().map(|f| f.name.text.as_str()).collect();
        let near = did_you_mean(family, names.iter().copied());
        let problem = Problem::wrong("unknown-family", format!("no family is called `{family}`"));
        return Err(problem.help(near.unwrap_or_else(|| format!("known families: {}", names.join(", ")))));
    };
    say(&format!("{:#}\n", formwork_ir::json_schema(&library, found)))?;
    Ok(0)
}
