//! `classify`: the labels of each text, a JSON line for each.

use formwork_text::{Classifier, Folder, Label};
use serde_json::{Value, json};

use super::forward::{built_for_texts, command};
use crate::args::Global;
use crate::output::say;
use crate::problem::{Outcome, Problem};
use crate::program::{self, Program};
use crate::text_args::Classify;
use crate::texts;

pub(super) fn run(options: &Classify, global: &Global) -> Outcome {
    let mut inputs = texts::of(&options.texts)?;
    if !options.pair.is_empty() {
        if options.pair.len() != inputs.len() {
            let message = format!("{} texts cannot go in pairs with {}", inputs.len(), options.pair.len());
            return Err(Problem::usage("usage", message).help("give a `--pair` for every `--text`"));
        }
        inputs.iter_mut().zip(&options.pair).for_each(|(input, pair)| input.pair = Some(pair.clone()));
    }
    let executable = built_for_texts(&options.target, global)?;
    let facts = program::facts(&executable)?;
    let asked = formwork_text::Classify { batch: options.reading.batch, truncate: options.reading.truncate };
    let classifier = Classifier::new(&Folder::of(&options.target.weights), &facts, asked)?;
    let mut engine = Program::start(command(&executable, "serve", &options.target, global))?;
    let label = |label: Label| json!({"label": label.label, "score": label.score});
    for (input, labels) in inputs.iter().zip(classifier.classify(&mut engine, &inputs)?) {
        let mut line = json!({"text": input.text});
        if let Some(pair) = &input.pair {
            line["pair"] = json!(pair);
        }
        line["labels"] = labels.into_iter().map(label).collect::<Vec<Value>>().into();
        say(&format!("{line}\n"))?;
    }
    Ok(0)
}
