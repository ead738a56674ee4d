//! Every kind of the standard family by its name alone: sizes that are not given have defaults, and the model is counted.

use formwork_analysis::{Questions, report};
use formwork_compiler::{Options, Surface, load_text};

/// Keys that choose by name, and the names; every variant that the standard library declares for them.
const KINDS: &[(&str, &str)] = &[
    ("attention", "attention_config"),
    ("norm.kind", "norm_kind"),
    ("norm.placement", "norm_placement"),
    ("ffn.kind", "ffn_kind"),
    ("positions.kind", "position_kind"),
    ("head.pooling", "pooling_kind"),
    ("attention.qk_norm_place", "qk_norm_place"),
    ("ffn.moe.score", "router_score"),
];

/// Names of an enum's variants, from the text of the standard library.
fn variants(library: &str, name: &str) -> Vec<String> {
    let start = library.find(&format!("enum {name} {{")).unwrap_or_else(|| panic!("no enum `{name}`"));
    let body = &library[start..];
    let indent = body.lines().nth(1).map_or(0, |line| line.len() - line.trim_start().len());
    if let Some((line, _)) = body.split_once('\n').filter(|(line, _)| line.ends_with('}')) {
        let inside = line.split(['{', '}']).nth(1).unwrap_or_default();
        return inside.split(',').map(|word| word.trim().to_string()).collect();
    }
    let lines = body.lines().skip(1).take_while(|line| line.len() - line.trim_start().len() >= indent);
    let own = lines.filter(|line| line.len() - line.trim_start().len() == indent);
    let words = own.map(|line| line.trim().split([' ', '{']).next().unwrap_or_default().to_string());
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()) && word != "every").collect()
}

/// A table for each dot of the key.
fn instance(key: &str, name: &str) -> String {
    match key {
        "attention" => format!("attention = \"{name}\"\n"),
        "head.pooling" => format!("task = \"classifier\"\nhead.pooling = \"{name}\"\n"),
        "attention.qk_norm_place" => {
            format!("attention = {{ kind = \"gqa\", qk_norm = true, qk_norm_place = \"{name}\" }}\n")
        }
        _ => format!("{key} = \"{name}\"\n"),
    }
}

#[test]
fn a_name_alone_is_enough() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs/std");
    let files = std::fs::read_dir(root).unwrap().flatten();
    let library: String = files.map(|file| std::fs::read_to_string(file.path()).unwrap()).collect();
    let mut tried = 0;
    for (key, of) in KINDS {
        for name in variants(&library, of) {
            let spec = instance(key, &name);
            let compiled = load_text("it.toml", &spec, Surface::Instance, &Options::default());
            let compiled = compiled.unwrap_or_else(|failure| {
                panic!("{spec}{}", formwork_diag::render_all(&failure.diagnostics, &failure.sources, false))
            });
            let figures = report(&compiled.model, &Questions::default()).unwrap();
            assert!(figures.params.total > 0 && figures.flops.forward > 0, "{spec}");
            tried += 1;
        }
    }
    assert!(tried > 50, "{tried} kinds");
}
