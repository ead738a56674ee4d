//! Small specs that compile, with the parameters and modules that they make; `UPDATE=1` rewrites the records.

mod support;

use std::fmt::Write as _;
use std::path::Path;

use formwork_compiler::{Options, load};
use formwork_diag::render_all;
use formwork_ir::{Model, ModuleId, NodeKind, parameters};
use support::{files, in_root};

fn modules(model: &Model, id: ModuleId, depth: usize, out: &mut String) {
    for node in &model.module(id).nodes {
        let indent = "  ".repeat(depth);
        match &node.kind {
            NodeKind::Call(child) => {
                let module = model.module(*child);
                writeln!(out, "{indent}{} @ {}", module.name, module.path).expect("text");
                modules(model, *child, depth + 1, out);
            }
            NodeKind::Repeat(repeat) => {
                for kind in &repeat.kinds {
                    writeln!(
                        out,
                        "{indent}{} × {} @ {} {}",
                        repeat.count,
                        repeat.schedule.len(),
                        repeat.path,
                        kind.label
                    )
                    .expect("text");
                    modules(model, kind.module, depth + 1, out);
                }
            }
            NodeKind::Op(_) | NodeKind::Once(_) | NodeKind::Probe(..) => {}
        }
    }
}

fn describe(model: &Model) -> String {
    let mut out = format!("{} ({}, {})\n", model.name, model.family, model.task);
    modules(model, model.root, 1, &mut out);
    let mut total = 0;
    for entry in parameters(model) {
        let shared = entry.shared.as_ref().map(|other| format!(" = {other}")).unwrap_or_default();
        writeln!(out, "{} {} × {}{shared}", entry.path, entry.shape_text(), entry.copies()).expect("text");
        if entry.shared.is_none() {
            let copies = i128::try_from(entry.copies()).expect("a count");
            total += entry.numel().constant().expect("a static size") * copies;
        }
    }
    writeln!(out, "{total} parameters").expect("text");
    out
}

#[test]
fn small_specs_compile_to_the_recorded_modules() {
    in_root();
    let mut wrong = Vec::new();
    for spec in files(Path::new("tests/specs/ok"), &["toml", "fw", "json"]) {
        let text = match load(&spec, &Options::default()) {
            Ok(compiled) => describe(&compiled.model),
            Err(failure) => {
                wrong.push(render_all(&failure.diagnostics, &failure.sources, false));
                continue;
            }
        };
        let record = spec.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&record, &text).expect("the record is written");
        } else if std::fs::read_to_string(&record).unwrap_or_default() != text {
            wrong.push(format!("{} gives\n{text}", spec.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_mistakes_of_a_file_come_in_one_run() {
    in_root();
    for (case, codes) in [
        ("four.toml", ["unknown-key", "unknown-variant", "not-finite", "unknown-name"]),
        ("four_blocks.fw", ["unknown-op", "unknown-name", "too-many-arguments", "shape-mismatch"]),
    ] {
        let Err(failure) = load(&Path::new("tests/specs/err/several").join(case), &Options::default()) else {
            panic!("{case} compiles");
        };
        assert_eq!(failure.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), codes);
    }
}
