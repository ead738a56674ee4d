//! `dump`: a stage of the compiler as text.

use std::path::Path;

use formwork_codegen::{CrateOptions, crate_name};
use formwork_compiler::Surface;
use formwork_diag::SourceMap;
use formwork_ir::Model;

use crate::args::{Global, Stage};
use crate::cache::Source;
use crate::output::say;
use crate::problem::{Outcome, Problem};
use crate::{rustfmt, specs, tree_text};

pub(super) fn run(spec: &Path, stage: Stage, global: &Global) -> Outcome {
    let text = match stage {
        Stage::Ast => ast(spec)?,
        Stage::Ir => formwork_ir::print(&specs::load(spec, global)?.model),
        Stage::Passes => passes(&specs::load(spec, global)?.model),
        Stage::Code => code(spec, global)?,
    };
    say(&text)?;
    Ok(0)
}

fn ast(spec: &Path) -> Result<String, Problem> {
    let (text, surface) = formwork_compiler::read(spec)?;
    let mut sources = SourceMap::default();
    let file = sources.add(spec.display().to_string(), text.as_str());
    let tree = match surface {
        Surface::Instance => formwork_syntax::read_toml(file, &text).map(|data| tree_text::data(&data)),
        Surface::Config => formwork_syntax::read_json(file, &text).map(|data| tree_text::data(&data)),
        Surface::Family => match formwork_syntax::parse_file(file, &text) {
            (tree, errors) if errors.is_empty() => Ok(tree_text::debug(&tree)),
            (_, diagnostics) => {
                return Err(Problem { exit: 1, diagnostics, sources });
            }
        },
    };
    tree.map_err(|error| Problem { exit: 1, diagnostics: vec![error], sources })
}

/// The rewrites, and the model that code is generated from.
fn passes(model: &Model) -> String {
    let plan = formwork_ir::plan::plan(model);
    let mut out = String::new();
    for change in &plan.changes {
        out += &format!("{} in {}\n  - {}\n  + {}\n", change.pass, change.module, change.before, change.after);
    }
    if plan.changes.is_empty() {
        out += "no pass changes this model\n";
    }
    out + "\n" + &formwork_ir::print(&plan.model)
}

fn code(spec: &Path, global: &Global) -> Result<String, Problem> {
    let model = specs::load(spec, global)?.model;
    let runtime = Source::find(None)?;
    let files = formwork_codegen::generate(&model).files(&CrateOptions {
        name: crate_name(&model.name),
        spec: spec.display().to_string(),
        runtime: runtime.dependency(),
        text: runtime.beside("text").map(|text| text.dependency()),
        standalone: false,
        member: false,
    });
    let files = rustfmt::crate_files(files)?;
    let parts: Vec<String> = files.into_iter().map(|(path, text)| format!("==> {path}\n{text}")).collect();
    Ok(parts.join("\n"))
}
