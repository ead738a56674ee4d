//! `families`: what specs may build on.

use serde_json::{Value, json};

use crate::args::Global;
use crate::output::say;
use crate::problem::Outcome;
use crate::specs;

pub(super) fn run(as_json: bool, global: &Global) -> Outcome {
    let library = specs::whole_library(global)?;
    let mut text = String::new();
    let mut values: Vec<Value> = Vec::new();
    for family in library.families() {
        let types: Vec<&str> = family.hf.iter().flat_map(|hf| &hf.model_types).map(|t| t.text.as_str()).collect();
        let tasks: Vec<&str> = family.models.iter().map(|m| m.name.text.as_str()).collect();
        let doc = family.doc.lines().next().unwrap_or_default();
        values.push(json!({"name": family.name.text, "doc": family.doc, "model_types": types, "tasks": tasks}));
        text += &format!("{}: {doc}\n", family.name.text);
        text += &format!("  tasks: {}\n", tasks.join(", "));
        if !types.is_empty() {
            text += &format!("  reads config.json of: {}\n", types.join(", "));
        }
    }
    if as_json {
        text = format!("{:#}\n", json!({"schema": 1, "families": values}));
    }
    say(&text)?;
    Ok(0)
}
