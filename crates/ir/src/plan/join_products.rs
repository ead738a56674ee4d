//! Products of one input in one go: queries, keys and values; gate and up.
//!
//! Needs: several uses of `linear` with the same input. Gives: the input is prepared once, and the threads meet once; the same
//! numbers.

use formwork_ops::Form;

use super::{Change, Pass};
use crate::model::{Model, Module, Node, NodeKind, ValueId};

pub(super) const PASS: Pass = Pass { name: "join_products", run };

fn run(model: &mut Model) -> Vec<Change> {
    model.modules.iter_mut().flat_map(join).collect()
}

fn join(module: &mut Module) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut at = 0;
    while at < module.nodes.len() {
        if let Some(x) = input(&module.nodes[at]) {
            let others: Vec<usize> =
                (at + 1..module.nodes.len()).filter(|i| input(&module.nodes[*i]) == Some(x)).collect();
            if !others.is_empty() {
                changes.push(rewrite(module, at, &others, x));
            }
        }
        at += 1;
    }
    changes
}

/// The input of a product.
fn input(node: &Node) -> Option<ValueId> {
    matches!(&node.kind, NodeKind::Op(op) if op.op.name == "linear").then(|| node.inputs.first().copied())?
}

/// The products take the place of the first of them: their input is there, and what reads them comes later.
fn rewrite(module: &mut Module, first: usize, others: &[usize], x: ValueId) -> Change {
    let mut inner: Vec<Node> = others.iter().rev().map(|at| module.nodes.remove(*at)).collect();
    inner.push(module.nodes[first].clone());
    inner.reverse();
    let paths: Vec<&str> = inner.iter().filter_map(path).collect();
    let of = &module.value(x).name;
    let before = paths.iter().map(|path| format!("{path}({of})")).collect::<Vec<_>>().join(", ");
    let after = format!("[{}]({of})", paths.join(", "));
    let change = Change { pass: PASS.name, module: module.name.clone(), before, after };
    for node in &inner {
        if let Some(name) = name(module, node) {
            module.values[node.outputs[0].0].name = name;
        }
    }
    let outputs = inner.iter().flat_map(|node| node.outputs.clone()).collect();
    let span = module.nodes[first].span;
    module.nodes[first] = Node { kind: NodeKind::Together(inner), inputs: vec![x], outputs, span };
    change
}

/// A name for a product's value that has none, or its input's: that of its heads, else of its weights.
fn name(module: &Module, node: &Node) -> Option<String> {
    let output = *node.outputs.first()?;
    let (name, x) = (&module.value(output).name, &module.value(node.inputs[0]).name);
    if !matches!(&node.kind, NodeKind::Op(op) if op.op.name == name) && name != x {
        return None;
    }
    let mut users = module.nodes.iter().filter(|user| user.inputs.contains(&output));
    let made = match (users.next(), users.next()) {
        (Some(Node { kind: NodeKind::Op(op), outputs, .. }), None)
            if outputs.len() == 1 && matches!(op.facts.form, Form::Method { .. }) =>
        {
            Some(&module.value(outputs[0]).name).filter(|name| **name != op.op.name)
        }
        _ => None,
    };
    made.cloned().or_else(|| path(node).map(|path| path.rsplit('.').next().unwrap_or(path).to_string()))
}

/// How a product's weights are called.
fn path(node: &Node) -> Option<&str> {
    if let NodeKind::Op(op) = &node.kind { Some(&op.path) } else { None }
}
