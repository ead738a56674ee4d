//! `embed`: a vector for each text, as JSON or as a NumPy array.

use formwork_text::{Embedder, Folder};
use serde_json::{Value, json};

use super::forward::{built_for_texts, command};
use crate::args::Global;
use crate::output::say;
use crate::problem::{Outcome, Problem};
use crate::program::{self, Program};
use crate::text_args::Embed;
use crate::texts;

pub(super) fn run(options: &Embed, global: &Global) -> Outcome {
    let output = options.output.as_deref();
    if let Some(path) = output.filter(|path| path.extension().is_none_or(|extension| extension != "npy")) {
        return Err(Problem::usage("usage", format!("`{}` is no name of a NumPy array", path.display()))
            .help("`-o` writes a `.npy` file; without it the vectors are printed as JSON"));
    }
    let inputs = texts::of(&options.texts)?;
    let texts: Vec<String> = inputs.into_iter().map(|input| input.text).collect();
    let executable = built_for_texts(&options.target, global)?;
    let facts = program::facts(&executable)?;
    let asked = formwork_text::Embed {
        batch: options.reading.batch,
        truncate: options.reading.truncate,
        prompt: options.prompt_name.clone(),
    };
    let embedder = Embedder::new(&Folder::of(&options.target.weights), &facts, asked)?;
    let mut engine = Program::start(command(&executable, "serve", &options.target, global))?;
    let vectors = embedder.embed(&mut engine, &texts)?;
    match output {
        Some(path) => vectors.write_npy(path)?,
        None => {
            let rows: Vec<Value> = vectors.rows().map(|row| json!(row)).collect();
            let json = json!({"schema": 1, "model": facts.name, "dimensions": vectors.width, "embeddings": rows});
            say(&format!("{json}\n"))?;
        }
    }
    Ok(0)
}
