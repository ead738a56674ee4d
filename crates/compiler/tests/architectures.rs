//! `specs/ARCHITECTURES.md`: what the families read, are made of and are proven by; `UPDATE=1` rewrites it.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use formwork_compiler::{Options, load};
use formwork_ir::{Model, NodeKind, OpNode};
use formwork_ops::{AttrDefault, AttrValue};
use support::in_root;

const PAGE: &str = "specs/ARCHITECTURES.md";
/// Ops that every architecture has, and those that only move numbers.
const EVERYWHERE: [&str; 12] = [
    "linear",
    "embedding",
    "heads",
    "merge_heads",
    "split",
    "first_token",
    "add",
    "sub",
    "mul",
    "div",
    "scale",
    "positions",
];

const HEAD: &str = "# Architectures

Written by a test (`UPDATE=1 cargo test -p formwork-compiler --test architectures`), which fails when this page is stale.

- **Mechanisms** are the ops of the typed models that the fixtures' configs give, with the variants and options that they use.
- **Lines** of a file are counted without blank ones: those of the family itself, and with its `hf`, `keys`, `gguf` and `weights` sections.
- A model type in **bold** is verified: a checkpoint with random weights, made by transformers, goes through the generated code, and
  outputs, hidden states and the cached greedy continuation are within 1e-4 of the reference, parameters and FLOPs equal to it
  (`cargo test -p formwork-tests --test reference`).
- FLOPs are what torch's counter adds up. Where a reference multiplies more or less than its formula says (whole chunks of a scan, padding to
  windows, experts that no token chose, poolers that nothing reads), `tools/reference_work.py` puts the formula's count in its place.
- [What is not covered, and why](../docs/not-covered.md).
- **By hand** counts the lines that are neither blank nor a comment of each type's `modeling_*.py` in transformers 5.23.0.

";

/// Medians of other code bases, lines that are neither blank nor a comment.
const OTHERS: &str = "
## Written by hand, elsewhere

Median lines of one model, neither blank nor a comment; counted in November 2026.

| code base | lines |
|---|---|
| transformers 5.23.0, `modeling_*.py` of decoders / masked LMs / encoder-decoders | 586 / 961 / 909 |
| llama.cpp (vendored in llama-cpp-python 0.3.36), `src/models/*.cpp`, and `conversion/*.py` beside it | 126 + 95 |
| candle (August 2026), text models | 410 |
| mistral.rs (August 2026), text models | 757 |
";

/// Ops by name, with the variants and options that are used of each.
type Mechanisms = BTreeMap<&'static str, BTreeSet<String>>;

/// How sections begin that say where numbers come from: configs, sets of their keys, checkpoints.
const SECTIONS: [&str; 5] = ["    hf \"", "    keys ", "    ignore ", "    weights {", "    gguf "];

/// What the page says of one family file.
#[derive(Default)]
struct Row {
    types: Vec<String>,
    own: usize,
    whole: usize,
}

/// The sections' lines apart from the rest.
fn row(text: &str) -> Row {
    let mut out = Row::default();
    let mut in_section = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        out.whole += 1;
        if let Some(types) = line.strip_prefix("    hf \"") {
            out.types.extend(types.split('"').step_by(2).map(str::to_string).filter(|t| !t.contains(['{', ','])));
        }
        in_section |= SECTIONS.iter().any(|section| line.starts_with(section));
        out.own += usize::from(!in_section);
        in_section &= line != "    }";
    }
    out
}

fn family_files() -> BTreeMap<String, Row> {
    let files = support::files(Path::new("specs/families"), &["fw"]);
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a family");
        (path.file_stem().expect("a name").to_string_lossy().into_owned(), row(&text))
    };
    files.into_iter().map(read).collect()
}

/// Model types with a fixture, and the ops that each file's fixtures use.
fn proven(files: &BTreeMap<String, Row>) -> (BTreeSet<String>, BTreeMap<String, Mechanisms>) {
    let (mut types, mut mechanisms) = (BTreeSet::new(), BTreeMap::new());
    for folder in std::fs::read_dir("tests/fixtures/families").expect("fixtures").flatten() {
        let config = folder.path().join("config.json");
        let Ok(text) = std::fs::read_to_string(&config) else { continue };
        let config_json: serde_json::Value = serde_json::from_str(&text).expect("a config");
        let model_type = config_json["model_type"].as_str().expect("a model type").to_string();
        let file = files.iter().find(|(_, row)| row.types.contains(&model_type)).map(|(name, _)| name.clone());
        let model = load(&config, &Options::default()).expect("a fixture compiles").model;
        collect(&model, mechanisms.entry(file.expect("a family reads it")).or_default());
        types.insert(model_type);
    }
    (types, mechanisms)
}

fn collect(model: &Model, out: &mut Mechanisms) {
    let mut nodes: Vec<_> = model.modules.iter().flat_map(|module| &module.nodes).collect();
    while let Some(node) = nodes.pop() {
        match &node.kind {
            NodeKind::Op(op) if !EVERYWHERE.contains(&op.op.name) => {
                out.entry(op.op.name).or_default().extend(choices(op));
            }
            NodeKind::Once(inner) => nodes.extend(inner),
            _ => {}
        }
    }
}

/// The variants and options of a use: what it chooses among the op's possibilities.
fn choices(op: &OpNode) -> Vec<String> {
    let mut out = Vec::new();
    for (input, given) in op.op.inputs.iter().zip(&op.operands) {
        if input.optional && given.is_some() {
            out.push(input.name.to_string());
        }
    }
    for (declared, value) in op.op.attrs.iter().zip(&op.arguments) {
        match (declared.default, value) {
            (_, AttrValue::Variant(name, _)) if name != "none" => out.push(name.clone()),
            (_, AttrValue::Record(fields)) => out.extend(fields.iter().filter_map(|(name, value)| match value {
                AttrValue::Variant(variant, _) if variant != "none" => Some(variant.clone()),
                AttrValue::Bool(true) => Some(name.clone()),
                AttrValue::Int(_) if name == "d_rot" => Some("partial".into()),
                _ => None,
            })),
            (Some(AttrDefault::Bool(usual)), AttrValue::Bool(flag)) if usual != *flag => {
                out.push(if *flag { declared.name.to_string() } else { format!("no {}", declared.name) });
            }
            (Some(AttrDefault::Null), AttrValue::Int(_) | AttrValue::Float(_)) => out.push(declared.name.to_string()),
            _ => {}
        }
    }
    out
}

fn by_hand() -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string("tests/reference/handwritten.csv").expect("the counted lines");
    let rows = text.lines().filter_map(|line| line.split_once(','));
    rows.filter_map(|(name, lines)| Some((name.to_string(), lines.parse().ok()?))).collect()
}

fn median(mut numbers: Vec<usize>) -> usize {
    numbers.sort_unstable();
    let (low, high) = (numbers[(numbers.len() - 1) / 2], numbers[numbers.len() / 2]);
    usize::midpoint(low, high)
}

fn page(files: &BTreeMap<String, Row>) -> String {
    let (verified, mechanisms) = proven(files);
    let by_hand = by_hand();
    let mut out = HEAD.to_string();
    let types: Vec<&String> = files.values().flat_map(|row| &row.types).collect();
    let own = median(files.values().map(|row| row.own).collect());
    let whole = median(files.values().map(|row| row.whole).collect());
    let known = types.iter().filter(|t| verified.contains(**t)).count();
    writeln!(
        out,
        "{} files read {} model types, of which {known} are verified. Median lines: {own} of the family itself, {whole} with sections.\n",
        files.len(),
        types.len(),
    )
    .expect("text");
    out += "| file | model types | lines | with sections | by hand | mechanisms |\n|---|---|---|---|---|---|\n";
    for (name, row) in files {
        let bold = |t: &String| if verified.contains(t) { format!("**{t}**") } else { t.clone() };
        let types: Vec<String> = row.types.iter().map(bold).collect();
        let hand: Vec<String> = row.types.iter().filter_map(|t| by_hand.get(t)).map(usize::to_string).collect();
        let ops = mechanisms.get(name).into_iter().flatten().map(|(op, choices)| {
            let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
            if choices.is_empty() { (*op).to_string() } else { format!("{op} ({})", choices.join(", ")) }
        });
        let (types, hand, ops) = (types.join(", "), hand.join(", "), ops.collect::<Vec<_>>().join("; "));
        writeln!(out, "| [{name}](families/{name}.fw) | {types} | {} | {} | {hand} | {ops} |", row.own, row.whole)
            .expect("text");
    }
    out + OTHERS
}

#[test]
fn the_page_of_architectures_is_fresh() {
    in_root();
    let text = page(&family_files());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, &text).expect("the page is written");
    }
    let recorded = std::fs::read_to_string(PAGE).unwrap_or_default();
    let changed: Vec<&str> = text.lines().filter(|line| !recorded.lines().any(|old| old == *line)).collect();
    assert!(text == recorded, "{PAGE} is stale (UPDATE=1 rewrites it); it should say\n{}", changed.join("\n"));
}

#[test]
fn examples_fit_on_a_page() {
    in_root();
    for path in support::files(Path::new("specs/examples"), &["fw"]) {
        let lines = std::fs::read_to_string(&path).expect("an example").lines().count();
        assert!(lines <= 40, "{} has {lines} lines", path.display());
        assert!(load(&path, &Options::default()).is_ok(), "{}", path.display());
    }
}
