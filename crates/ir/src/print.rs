//! A model as indented text: modules with their dataflow, shapes and parameters; loops stay folded.

use std::fmt::Write as _;

use formwork_ops::{AttrDefault, AttrValue, Poly, Role, State};

use crate::model::{Model, Module, ModuleId, Node, NodeKind, OpNode, Repeat, ValueId};
use crate::params::{ParamEntry, parameters};
use crate::weights::Source;

/// The whole model: arguments, inputs, module tree, parameters, weight rules.
pub fn print(model: &Model) -> String {
    let mut out = Text::default();
    for line in model.doc.lines() {
        out.line(&format!("// {line}"));
    }
    out.line(&format!("model {}: {} {}", model.name, model.family, model.task));
    out.section("arguments", |out| {
        for argument in &model.arguments {
            let own = matches!(&argument.value, AttrValue::Int(size) if size.to_string() == argument.name);
            let from = match &argument.value {
                AttrValue::Int(size) if !own && size.atoms().next().is_some() => format!("  // {size}"),
                _ => String::new(),
            };
            out.line(&format!("{} = {}{from}", argument.name, attr(&argument.value)));
        }
    });
    out.section("inputs", |out| {
        for input in &model.inputs {
            out.line(&format!("{} ({})", input.name, input.external));
        }
    });
    if let Some(tokenizer) = &model.tokenizer {
        out.section("tokenizer", |out| {
            out.line(&format!("{}, {} ids, `{}`", tokenizer.algorithm, tokenizer.vocab_size, tokenizer.file));
        });
    }
    out.section("modules", |out| module(model, model.root, "", out));
    out.section("parameters", |out| parameters(model).iter().for_each(|entry| out.line(&parameter(entry))));
    if !model.weights.rules.is_empty() || !model.weights.ignore.is_empty() {
        out.section("weights", |out| weights(model, out));
    }
    out.text
}

/// Lines at a depth.
#[derive(Default)]
struct Text {
    text: String,
    depth: usize,
}

impl Text {
    fn line(&mut self, line: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{:indent$}{line}", "", indent = 2 * self.depth);
    }

    fn section(&mut self, title: &str, body: impl FnOnce(&mut Self)) {
        self.text.push('\n');
        self.line(title);
        self.inside(body);
    }

    fn inside(&mut self, body: impl FnOnce(&mut Self)) {
        self.depth += 1;
        body(self);
        self.depth -= 1;
    }
}

fn module(model: &Model, id: ModuleId, note: &str, out: &mut Text) {
    let it = model.module(id);
    let typed = |id: &ValueId| format!("{}: {}", name(it, *id), it.value(*id).ty);
    let inputs: Vec<String> = it.inputs.iter().map(typed).collect();
    let outputs: Vec<String> = it.outputs.iter().map(|id| it.value(*id).ty.to_string()).collect();
    let path = if it.path.is_empty() { String::new() } else { format!(" @ {:?}", it.path) };
    out.line(&format!("{}({}) -> {}{path}{note}", it.name, inputs.join(", "), outputs.join(", ")));
    out.inside(|out| {
        nodes(model, it, &it.nodes, out);
        let outputs: Vec<String> = it.outputs.iter().map(|id| name(it, *id)).collect();
        out.line(&format!("return {}", outputs.join(", ")));
    });
}

fn nodes(model: &Model, it: &Module, list: &[Node], out: &mut Text) {
    for node in list {
        let inputs: Vec<String> = node.inputs.iter().map(|id| name(it, *id)).collect();
        let results: Vec<String> = node.outputs.iter().map(|id| name(it, *id)).collect();
        let (inputs, results) = (inputs.join(", "), results.join(", "));
        match &node.kind {
            NodeKind::Op(op) => {
                let types: Vec<String> = node.outputs.iter().map(|id| it.value(*id).ty.to_string()).collect();
                let call = format!("{}({inputs}{})", op.op.name, arguments(op));
                out.line(&format!("{results} = {call}: {}{}", types.join(", "), details(op)));
            }
            NodeKind::Call(child) => {
                out.line(&format!("{results} = call({inputs})"));
                out.inside(|out| module(model, *child, "", out));
            }
            NodeKind::Repeat(repeat) => {
                out.line(&format!(
                    "{results} = repeat {} in 0..{}({inputs}) @ {:?}",
                    repeat.index, repeat.count, repeat.path
                ));
                out.inside(|out| layers(model, it, repeat, out));
            }
            NodeKind::Once(inner) => {
                out.line(&format!("{results} = once"));
                out.inside(|out| nodes(model, it, inner, out));
            }
            NodeKind::Together(inner) => {
                out.line(&format!("{results} = together({inputs})"));
                out.inside(|out| nodes(model, it, inner, out));
            }
            NodeKind::Probe(label, index) => {
                let index = index.as_ref().map(|i| format!(" at {i}")).unwrap_or_default();
                out.line(&format!("probe {inputs} as {label:?}{index}"));
            }
        }
    }
}

fn layers(model: &Model, it: &Module, repeat: &Repeat, out: &mut Text) {
    for (place, label) in &repeat.probes {
        out.line(&format!("probe carried {place} as {label:?}"));
    }
    for (kind, layer) in repeat.kinds.iter().enumerate() {
        let indices: Vec<usize> = (0..repeat.schedule.len()).filter(|i| repeat.schedule[*i] == kind).collect();
        let captures: Vec<String> = layer.captures.iter().map(|id| name(it, *id)).collect();
        let captures = if captures.is_empty() { String::new() } else { format!(", captures {}", captures.join(", ")) };
        let label = if layer.label.is_empty() { String::new() } else { format!(", {}", layer.label) };
        let note = format!("  // layers {}{label}{captures}", ranges(&indices));
        module(model, layer.module, &note, out);
    }
}

/// The arguments of an op that differ from their defaults, after a semicolon; widths are in the shapes.
fn arguments(op: &OpNode) -> String {
    let mut out = String::new();
    for (declared, value) in op.op.attrs.iter().zip(&op.arguments) {
        let usual = match (declared.default, value) {
            (Some(AttrDefault::Null), AttrValue::Null) => true,
            (Some(AttrDefault::Bool(usual)), AttrValue::Bool(flag)) => usual == *flag,
            (Some(AttrDefault::Int(usual)), AttrValue::Int(size)) => size.constant() == Some(usual),
            (Some(AttrDefault::Float(usual)), AttrValue::Float(float)) => usual == float.value,
            (None, AttrValue::Int(_) | AttrValue::List(_)) => true,
            _ => false,
        };
        if !usual {
            let separator = if out.is_empty() { "; " } else { ", " };
            out += &format!("{separator}{}: {}", declared.name, attr(&brief(value)));
        }
    }
    out
}

/// A record without the fields that say nothing.
fn brief(value: &AttrValue) -> AttrValue {
    let says = |value: &AttrValue| match value {
        AttrValue::Null | AttrValue::Bool(false) => false,
        AttrValue::Variant(name, _) => name != "none",
        _ => true,
    };
    match value {
        AttrValue::Record(fields) => AttrValue::Record(fields.iter().filter(|(_, v)| says(v)).cloned().collect()),
        other => other.clone(),
    }
}

/// An op's place in the checkpoint and its state.
fn details(op: &OpNode) -> String {
    let mut out = String::new();
    if !op.facts.params.is_empty() {
        let names: Vec<&str> = op.facts.params.iter().map(|p| p.name).collect();
        let grade = op.grade.name().map(|name| format!(": {name}")).unwrap_or_default();
        out += &format!(" @ {:?} {{{}{grade}}}", op.path, names.join(", "));
    }
    if let Some(state) = &op.facts.state {
        out += &format!("  // {}", kept(state));
    }
    out
}

fn kept(state: &State) -> String {
    let rows = |window: Option<&Poly>| {
        window.map_or_else(|| "every position".into(), |w| format!("the last {} positions", number(w)))
    };
    match state {
        State::KeyValue { heads, d_k, d_v, window } => {
            format!("keeps keys [{heads}, {d_k}] and values [{heads}, {d_v}] of {}", rows(window.as_ref()))
        }
        State::Rows { width } => format!("keeps [{width}] of every position"),
        State::Groups { heads, d_k, d_v, windows } => {
            let groups: Vec<String> = windows.iter().map(|w| rows(w.as_ref())).collect();
            format!(
                "keeps for each group of heads keys [{heads}, {d_k}] and values [{heads}, {d_v}] of {}",
                groups.join("; ")
            )
        }
        State::Recurrent { heads, size } => format!("keeps [{heads}, {size}]"),
    }
}

fn number(size: &Poly) -> String {
    size.constant().map_or_else(|| size.to_string(), |number| number.to_string())
}

fn name(it: &Module, id: ValueId) -> String {
    format!("{}.{}", it.value(id).name, id.0)
}

fn parameter(entry: &ParamEntry) -> String {
    let numbers: Vec<String> =
        entry.shape.iter().map(|d| d.constant().map_or_else(|| "?".into(), |n| n.to_string())).collect();
    let layers: Vec<String> =
        entry.layers.iter().map(|(index, layers)| format!(", {index} = {}", ranges(layers))).collect();
    let buffer = if entry.role == Role::Buffer { ", buffer" } else { "" };
    let shared = entry.shared.as_ref().map(|other| format!(", shared with {other}")).unwrap_or_default();
    format!("{}: {} = [{}]{}{buffer}{shared}", entry.path, entry.shape_text(), numbers.join(", "), layers.concat())
}

fn weights(model: &Model, out: &mut Text) {
    for prefix in &model.weights.prefixes {
        out.line(&format!("prefix {prefix:?}"));
    }
    for rule in &model.weights.rules {
        out.line(&format!("{:?} <- {}", rule.target, source(&rule.source)));
    }
    for pattern in &model.weights.ignore {
        out.line(&format!("ignore {pattern:?}"));
    }
}

fn source(it: &Source) -> String {
    let list = |items: &[Source], separator: &str| items.iter().map(source).collect::<Vec<_>>().join(separator);
    match it {
        Source::Name(name) => format!("{name:?}"),
        Source::Transpose(inner) => format!("transpose({})", source(inner)),
        Source::Rows(inner, from, to) => format!("rows({}, {from}, {to})", source(inner)),
        Source::Columns(inner, from, to) => format!("columns({}, {from}, {to})", source(inner)),
        Source::Concat(items) => format!("concat({})", list(items, ", ")),
        Source::Stack(inner, index, count) => format!("stack({}, {index} in 0..{count})", source(inner)),
        Source::Reshape(inner, dims) => format!("reshape({}, {dims:?})", source(inner)),
        Source::PermuteRope(inner, heads) => format!("permute_rope({}, {heads})", source(inner)),
        Source::Add(inner, number) => format!("{} + {number:?}", source(inner)),
        Source::NegExp(inner) => format!("neg_exp({})", source(inner)),
        Source::Zeros(shape) => format!("zeros({shape:?})"),
        Source::Sinusoids(rows, d) => format!("sinusoids({rows}, {d})"),
        Source::FirstOf(items) => list(items, " ?? "),
    }
}

fn attr(value: &AttrValue) -> String {
    let fields = |fields: &[(String, AttrValue)]| {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {}", attr(value))).collect();
        format!("{{ {} }}", fields.join(", "))
    };
    match value {
        AttrValue::Null => "null".into(),
        AttrValue::Int(size) => number(size),
        AttrValue::Float(float) => format!("{:?}", float.value),
        AttrValue::Bool(flag) => flag.to_string(),
        AttrValue::Str(text) => format!("{text:?}"),
        AttrValue::List(items) => format!("[{}]", items.iter().map(attr).collect::<Vec<_>>().join(", ")),
        AttrValue::Record(named) => fields(named),
        AttrValue::Variant(name, named) if named.is_empty() => name.clone(),
        AttrValue::Variant(name, named) => format!("{name} {}", fields(named)),
    }
}

/// `0-2, 4`
fn ranges(numbers: &[usize]) -> String {
    let mut out: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match out.last_mut() {
            Some((_, end)) if *end + 1 == *number => *end = *number,
            _ => out.push((*number, *number)),
        }
    }
    let text = |(from, to): &(usize, usize)| if from == to { from.to_string() } else { format!("{from}-{to}") };
    out.iter().map(text).collect::<Vec<_>>().join(", ")
}
