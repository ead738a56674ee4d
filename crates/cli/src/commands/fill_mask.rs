//! `fill-mask`: the likeliest tokens in the place of each mask, a JSON line for each text.

use formwork_text::{Filler, Folder};
use serde_json::{Value, json};

use super::forward::{built_for_texts, command};
use crate::args::Global;
use crate::output::say;
use crate::problem::Outcome;
use crate::program::{self, Program};
use crate::text_args::FillMask;
use crate::texts;

pub(super) fn run(options: &FillMask, global: &Global) -> Outcome {
    let inputs = texts::of(&options.texts)?;
    let texts: Vec<String> = inputs.into_iter().map(|input| input.text).collect();
    let executable = built_for_texts(&options.target, global)?;
    let facts = program::facts(&executable)?;
    let fill = formwork_text::FillMask::new(&Folder::of(&options.target.weights), &facts, options.top_k)?;
    let mut engine = Program::start(command(&executable, "serve", &options.target, global))?;
    let filler = |filler: Filler| json!({"token": filler.token, "id": filler.id, "score": filler.score});
    for (text, masks) in texts.iter().zip(fill.fill(&mut engine, &texts)?) {
        let masks: Vec<Vec<Value>> = masks.into_iter().map(|mask| mask.into_iter().map(filler).collect()).collect();
        say(&format!("{}\n", json!({"text": text, "masks": masks})))?;
    }
    Ok(0)
}
