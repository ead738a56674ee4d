//! Small specs that compile: their modules, parameters and code, as snapshots beside them; `INSTA_UPDATE=always` renews them.

mod support;

use std::fmt::Write as _;
use std::path::Path;

use formwork_codegen::{CrateOptions, Runtime, crate_name};
use formwork_compiler::{Options, load};
use formwork_diag::render_all;
use formwork_ir::{Model, ModuleId, NodeKind, parameters};
use support::{assert_beside, in_root, short};

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
            NodeKind::Op(_) | NodeKind::Once(_) | NodeKind::Together(_) | NodeKind::Probe(..) => {}
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

/// The sources that a person would read, unformatted as `rustfmt` gets them.
fn code(model: &Model) -> String {
    let options = CrateOptions {
        name: crate_name(&model.name),
        spec: model.name.clone(),
        runtime: Runtime::Version("0.1.0".to_string()),
        text: None,
        standalone: true,
        member: false,
    };
    let files = formwork_codegen::generate(model).files(&options);
    let sources = files.iter().filter(|(path, _)| path.starts_with("src/"));
    sources.fold(String::new(), |text, (path, source)| format!("{text}// {path}\n{source}\n"))
}

#[test]
fn small_specs_compile_to_the_recorded_modules_and_code() {
    in_root();
    insta::glob!("../../../tests/specs/ok", "*.{toml,fw,json}", |spec| {
        let spec = short(spec);
        let model = match load(&spec, &Options::default()) {
            Ok(compiled) => compiled.model,
            Err(failure) => panic!("{}", render_all(&failure.diagnostics, &failure.sources, false)),
        };
        let name = spec.file_name().unwrap_or_default().to_string_lossy();
        assert_beside(&spec, &name, &describe(&model));
        assert_beside(&spec, &format!("{name}.rs"), &code(&model));
    });
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
