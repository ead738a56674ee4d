//! `explain`: what an error code means.

use formwork_diag::did_you_mean;

use crate::codes;
use crate::output::say;
use crate::problem::{Outcome, Problem};

pub(super) fn run(code: Option<&str>) -> Outcome {
    let all = codes::all();
    let Some(code) = code else {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        say(&format!("{}\n", names.join("\n")))?;
        return Ok(0);
    };
    // A code pasted from a message may bring its brackets.
    let code = code.trim_start_matches("error").trim_matches(['[', ']']);
    match all.iter().find(|(name, _)| *name == code) {
        Some((name, text)) => {
            say(&format!("{name}\n\n{}\n", text.trim()))?;
            Ok(0)
        }
        None => {
            let near = did_you_mean(code, all.iter().map(|(name, _)| *name));
            let problem = Problem::wrong("unknown-code", format!("no error has the code `{code}`"));
            Err(problem.help(near.unwrap_or_else(|| "`formwork explain` lists every code".to_string())))
        }
    }
}
