//! A norm inside the product that reads it.
//!
//! Needs: a norm whose value one product alone reads, perhaps that of a block which nothing else calls, and whose input stays until
//! then. Gives: rows are normalised where the product rounds them, while they are in the cache, and one tensor and one pass over
//! memory less; the same numbers.

use formwork_ops::{Form, Kind};

use super::{Change, Pass, calls};
use crate::model::{Model, Module, ModuleId, Node, NodeKind, ValueId};

pub(super) const PASS: Pass = Pass { name: "defer_norm", run };

/// The norms that can make some rows without the others.
const NORMS: [&str; 2] = ["rms_norm", "layer_norm"];

fn run(model: &mut Model) -> Vec<Change> {
    let mut changes = Vec::new();
    for id in (0..model.modules.len()).map(ModuleId) {
        for at in 0..model.module(id).nodes.len() {
            if let Some(values) = find(model, id, at) {
                changes.extend(rewrite(model, (id, at), &values));
            }
        }
    }
    changes
}

/// The value of a norm and the arguments that stand for it, by their blocks.
fn find(model: &Model, id: ModuleId, at: usize) -> Option<Vec<(ModuleId, ValueId)>> {
    let module = model.module(id);
    let node = &module.nodes[at];
    let (&[x], &[value]) = (node.inputs.as_slice(), node.outputs.as_slice()) else { return None };
    if !is_norm(node) || !stays(module, x) {
        return None;
    }
    let mut values = vec![(id, value)];
    loop {
        let (id, value) = *values.last()?;
        match goal(model, id, value)? {
            Goal::Product => return Some(values),
            Goal::Argument(id, value) => values.push((id, value)),
        }
    }
}

/// Whether a node is a norm with weights that is made at once.
fn is_norm(node: &Node) -> bool {
    let NodeKind::Op(op) = &node.kind else { return false };
    NORMS.contains(&op.op.name) && matches!(op.facts.form, Form::Layer { method: "forward", .. })
}

/// Whether a norm's input has a place of its own, and nothing takes it away: others that read it only look at it.
fn stays(module: &Module, x: ValueId) -> bool {
    let looks = |node: &Node| match &node.kind {
        NodeKind::Op(op) => matches!(op.facts.form, Form::Layer { .. } | Form::Source { .. }),
        NodeKind::Call(_) | NodeKind::Together(_) | NodeKind::Probe(..) => true,
        NodeKind::Once(_) | NodeKind::Repeat(_) => false,
    };
    let is_kept = |readers: Vec<&Node>| readers.len() > 1 && readers.into_iter().all(looks);
    module.inputs.contains(&x) || readers(module, x).is_some_and(is_kept)
}

/// The nodes that read a value, if it is no result, and no loop or kept part needs it.
fn readers(module: &Module, value: ValueId) -> Option<Vec<&Node>> {
    let is_inside = |node: &Node| match &node.kind {
        NodeKind::Repeat(it) => it.kinds.iter().any(|kind| kind.captures.contains(&value)),
        NodeKind::Once(inner) => inner.iter().any(|node| node.inputs.contains(&value)),
        NodeKind::Op(_) | NodeKind::Call(_) | NodeKind::Together(_) | NodeKind::Probe(..) => false,
    };
    let is_elsewhere = module.outputs.contains(&value) || module.nodes.iter().any(is_inside);
    (!is_elsewhere).then(|| module.nodes.iter().filter(|node| node.inputs.contains(&value)).collect())
}

/// Where the value of a norm goes.
enum Goal {
    Product,
    /// The argument of a block.
    Argument(ModuleId, ValueId),
}

/// Where a value goes that is read once, if it may be a norm's.
fn goal(model: &Model, id: ModuleId, value: ValueId) -> Option<Goal> {
    let readers = readers(model.module(id), value)?;
    let &[reader] = readers.as_slice() else { return None };
    let mut slots = (0..reader.inputs.len()).filter(|slot| reader.inputs[*slot] == value);
    let (Some(slot), None) = (slots.next(), slots.next()) else { return None };
    match &reader.kind {
        NodeKind::Op(op) if op.op.name == "linear" && slot == 0 => Some(Goal::Product),
        NodeKind::Together(_) => Some(Goal::Product),
        NodeKind::Call(child) if calls(model, *child) == 1 => {
            Some(Goal::Argument(*child, *model.module(*child).inputs.get(slot)?))
        }
        _ => None,
    }
}

fn rewrite(model: &mut Model, (id, at): (ModuleId, usize), values: &[(ModuleId, ValueId)]) -> Option<Change> {
    for (id, value) in values {
        model.modules[id.0].values[value.0].ty.kind = Kind::Normed;
    }
    let module = &mut model.modules[id.0];
    let NodeKind::Op(op) = &mut module.nodes[at].kind else { return None };
    if let Form::Layer { method, .. } = &mut op.facts.form {
        *method = "deferred";
    }
    let (name, path) = (op.op.name, op.path.clone());
    let of = &module.value(module.nodes[at].inputs[0]).name;
    let (before, after) =
        (format!("{path}: {name}({of})"), format!("{path}: {name} of the rows of {of} that are read"));
    Some(Change { pass: PASS.name, module: module.name.clone(), before, after })
}
