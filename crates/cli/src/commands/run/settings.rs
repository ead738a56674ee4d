//! Options of the model's program: as the user says, else as the checkpoint does.

use std::process::Command;

use serde_json::Value;

use crate::args::Choice;
use crate::output::note;
use crate::problem::Problem;
use formwork_text::Folder;

/// Says on standard error what the checkpoint asks for in vain.
pub(in crate::commands) fn note_unapplied(folder: &Folder) -> Result<(), Problem> {
    for (key, value) in folder.unapplied()? {
        note(&format!("note: the checkpoint asks for `{key}` = {value}, which is not applied"));
    }
    Ok(())
}

/// Options of sampling.
pub(super) fn sampling(child: &mut Command, options: &Choice) {
    child.arg("--temperature").arg(options.temperature.to_string()).arg("--seed").arg(options.seed.to_string());
    let given = [
        ("--top-k", options.top_k.map(|x| x.to_string())),
        ("--top-p", options.top_p.map(|x| x.to_string())),
        ("--min-p", options.min_p.map(|x| x.to_string())),
        ("--repetition-penalty", options.repetition_penalty.map(|x| x.to_string())),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            child.arg(name).arg(value);
        }
    }
}

/// Options of beam search; what the user leaves open is as the checkpoint says.
pub(super) fn beams(
    child: &mut Command,
    beams: usize,
    length_penalty: Option<f64>,
    folder: &Folder,
) -> Result<(), Problem> {
    child.arg("--beams").arg(beams.to_string());
    let penalty = match length_penalty {
        Some(penalty) => Some(penalty),
        None => folder.generation("length_penalty")?.as_f64(),
    };
    if let Some(penalty) = penalty {
        child.arg(format!("--length-penalty={penalty}"));
    }
    if folder.generation("early_stopping")? == Value::Bool(true) {
        child.arg("--early-stopping");
    }
    Ok(())
}
