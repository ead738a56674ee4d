//! How near each matrix is kept to its original where weights are packed in few bits.
//!
//! Needs: products whose errors count more than others'. What a router says decides which experts are asked, so that an error
//! changes all of a token; the last product's errors are those of the answer; and what attention makes of values, and the product
//! that reads it, reaches the residual as it is, while queries and keys pass through a softmax. Gives: grades, which a format of
//! weights turns into bits; in formats of floats the same numbers.

use std::collections::BTreeSet;

use formwork_ops::Grade;

use super::{Change, Pass};
use crate::model::{Model, Module, ModuleId, Node, NodeKind, OpNode, ValueId};

pub(super) const PASS: Pass = Pass { name: "grade_matrices", run };

/// The operands that hold what attention mixes.
const VALUES: [&str; 2] = ["v", "latent"];

/// A value of a block.
type Place = (ModuleId, ValueId);

fn run(model: &mut Model) -> Vec<Change> {
    let mut graded = Vec::new();
    for id in (0..model.modules.len()).map(ModuleId) {
        for (node, op) in ops(model.module(id)) {
            if op.op.name == "route" {
                graded.extend(made_by(model, (id, node.inputs[0])).into_iter().map(|at| (at, Grade::Exact)));
            }
            let Some(values) = op.op.inputs.iter().position(|input| VALUES.contains(&input.name)) else { continue };
            let (Some(values), Some(result)) = (op.operands[values], node.outputs.first()) else { continue };
            let ends = [made_by(model, (id, node.inputs[values])), read_by(model, (id, *result))];
            graded.extend(ends.concat().into_iter().map(|at| (at, Grade::Fine)));
        }
    }
    let answers = model.root().outputs.iter().flat_map(|value| made_by(model, (model.root, *value)));
    graded.extend(answers.map(|at| (at, Grade::Finest)).collect::<Vec<_>>());
    graded.into_iter().filter_map(|(product, grade)| set(model, product, grade)).collect()
}

/// The uses of ops of a block, but for those inside of others.
fn ops(module: &Module) -> impl Iterator<Item = (&Node, &OpNode)> {
    module.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Op(op) => Some((node, op)),
        _ => None,
    })
}

/// The values of products that a value comes from through ops without parameters.
fn made_by(model: &Model, from: Place) -> Vec<Place> {
    let (mut found, mut left, mut seen) = (Vec::new(), vec![from], BTreeSet::new());
    while let Some((id, value)) = left.pop() {
        if !seen.insert((id, value)) {
            continue;
        }
        let module = model.module(id);
        let Some(node) = maker(&module.nodes, value) else { continue };
        match &node.kind {
            NodeKind::Op(op) if op.op.name == "linear" => found.push((id, value)),
            NodeKind::Op(op) if is_plain(op, node) => left.extend(node.inputs.iter().map(|input| (id, *input))),
            NodeKind::Call(child) => {
                let slot = node.outputs.iter().position(|output| *output == value);
                left.extend(slot.map(|slot| (*child, model.module(*child).outputs[slot])));
            }
            _ => {}
        }
    }
    found
}

/// The values of products that read a value, perhaps through ops without parameters or a norm, before anything is added to it.
fn read_by(model: &Model, from: Place) -> Vec<Place> {
    let (mut found, mut left, mut seen) = (Vec::new(), vec![from], BTreeSet::new());
    while let Some((id, value)) = left.pop() {
        if !seen.insert((id, value)) {
            continue;
        }
        let module = model.module(id);
        for node in module.nodes.iter().filter(|node| node.inputs.contains(&value)) {
            let slot = node.inputs.iter().position(|input| *input == value).unwrap_or_default();
            match &node.kind {
                NodeKind::Op(op) if op.op.name == "linear" => found.push((id, node.outputs[0])),
                NodeKind::Op(op) if op.op.name == "add" => {}
                NodeKind::Op(op) if is_plain(op, node) || op.op.name.ends_with("_norm") => {
                    left.push((id, node.outputs[0]))
                }
                NodeKind::Call(child) => left.push((*child, model.module(*child).inputs[slot])),
                _ => {}
            }
        }
        if let Some(slot) = module.outputs.iter().position(|output| *output == value) {
            left.extend(callers(model, id).map(|(caller, node)| (caller, node.outputs[slot])));
        }
    }
    found
}

/// The node that makes a value, perhaps once.
fn maker(nodes: &[Node], value: ValueId) -> Option<&Node> {
    nodes.iter().find_map(|node| match &node.kind {
        NodeKind::Once(inner) => maker(inner, value),
        _ => node.outputs.contains(&value).then_some(node),
    })
}

/// The same to be changed.
fn maker_mut(nodes: &mut [Node], value: ValueId) -> Option<&mut Node> {
    nodes.iter_mut().find_map(|node| match node {
        Node { kind: NodeKind::Once(inner), .. } => maker_mut(inner, value),
        _ => node.outputs.contains(&value).then_some(node),
    })
}

/// Whether an op only looks at its inputs, and neither keeps nor mixes anything.
fn is_plain(op: &OpNode, node: &Node) -> bool {
    op.facts.params.is_empty() && op.facts.state.is_none() && op.stream.is_none() && node.outputs.len() == 1
}

/// The calls of a block.
fn callers(model: &Model, id: ModuleId) -> impl Iterator<Item = (ModuleId, &Node)> {
    let calls = move |node: &&Node| matches!(node.kind, NodeKind::Call(child) if child == id);
    let modules = model.modules.iter().enumerate();
    modules.flat_map(move |(at, module)| module.nodes.iter().filter(calls).map(move |node| (ModuleId(at), node)))
}

/// Gives a product its first grade.
fn set(model: &mut Model, (id, value): Place, grade: Grade) -> Option<Change> {
    let module = &mut model.modules[id.0];
    let NodeKind::Op(op) = &mut maker_mut(&mut module.nodes, value)?.kind else { return None };
    if op.grade != Grade::Plain {
        return None;
    }
    op.grade = grade;
    let (path, name) = (op.path.clone(), grade.name()?);
    let (before, after) = (format!("{path} {{weight}}"), format!("{path} {{weight: {name}}}"));
    Some(Change { pass: PASS.name, module: module.name.clone(), before, after })
}
