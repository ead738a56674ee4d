//! Loading the golden instances.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::Path;

use formwork_analysis::{Questions, Report, report};
use formwork_ir::Model;

pub(crate) fn model(name: &str) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.json"));
    match formwork_compiler::load(&path, &formwork_compiler::Options::default()) {
        Ok(compiled) => compiled.model,
        Err(failure) => panic!("{}", formwork_diag::render_all(&failure.diagnostics, &failure.sources, false)),
    }
}

pub(crate) fn ask(model: &Model, seq: u128) -> Report {
    ask_with(model, &Questions { seq, ..Questions::default() })
}

pub(crate) fn ask_with(model: &Model, questions: &Questions) -> Report {
    match report(model, questions) {
        Ok(report) => report,
        Err(error) => panic!("{}: {error}", model.name),
    }
}

/// A model written as an instance of a family.
pub(crate) fn instance(text: &str) -> Model {
    compiled("instance.toml", text, formwork_compiler::Surface::Instance)
}

/// A family with a default for every parameter.
pub(crate) fn family(text: &str) -> Model {
    compiled("family.fw", text, formwork_compiler::Surface::Family)
}

fn compiled(name: &str, text: &str, surface: formwork_compiler::Surface) -> Model {
    match formwork_compiler::load_text(name, text, surface, &formwork_compiler::Options::default()) {
        Ok(compiled) => compiled.model,
        Err(failure) => panic!("{}", formwork_diag::render_all(&failure.diagnostics, &failure.sources, false)),
    }
}
