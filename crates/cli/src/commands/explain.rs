//! `explain`: what an error code means.

use formwork_diag::did_you_mean;

use crate::output::say;
use crate::problem::{Outcome, Problem};

pub(super) fn run(code: Option<&str>) -> Outcome {
    let all = codes();
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

/// The codes of the compiler and of the runtime, sorted.
fn codes() -> Vec<(&'static str, &'static str)> {
    let compiler = formwork_diag::CODES.iter().map(|code| (code.name, code.text));
    let runtime = formwork_runtime::error::CODES.iter().copied();
    let mut all: Vec<_> = compiler.chain(runtime).collect();
    all.sort_by_key(|(name, _)| *name);
    all.dedup_by_key(|(name, _)| *name);
    all
}
