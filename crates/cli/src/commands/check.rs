//! `check`: whether specs compile, all of them before the verdict.

use std::path::PathBuf;

use formwork_diag::thousands;
use serde_json::json;

use crate::args::{Global, MessageFormat};
use crate::output::{report, say};
use crate::problem::{Outcome, Problem};
use crate::specs;

pub(super) fn run(paths: &[PathBuf], global: &Global) -> Outcome {
    let mut status = 0;
    for (at, path) in paths.iter().enumerate() {
        match specs::load(path, global) {
            Ok(compiled) => {
                let model = &compiled.model;
                let parameters = formwork_ir::parameter_count(model).ok_or_else(|| too_many(&model.name))?;
                let line = match global.message_format {
                    MessageFormat::Human => {
                        format!(
                            "ok  {}: {} {}, {} parameters",
                            model.name,
                            model.family,
                            model.task,
                            thousands(parameters)
                        )
                    }
                    MessageFormat::Json => {
                        let facts = json!({"schema": 1, "spec": path, "name": model.name, "family": model.family, "task": model.task, "parameters": parameters.to_string().parse::<serde_json::Number>().ok()});
                        facts.to_string()
                    }
                };
                say(&format!("{line}\n"))?;
            }
            Err(problem) => {
                if at > 0 && global.message_format == MessageFormat::Human {
                    crate::output::note("");
                }
                report(&problem, global);
                status = status.max(problem.exit);
            }
        }
    }
    Ok(status)
}

fn too_many(name: &str) -> Problem {
    Problem::wrong("number-range", format!("the parameters of `{name}` exceed 128 bits"))
}
