//! Rotary positions of queries and keys, made as the keys are written to the cache.
//!
//! Needs: an attention with a cache whose queries and keys are each rotated alike, by the positions of its own tokens, for it
//! alone. Gives: the threads meet once instead of once for the queries, once for the keys and once for the cache; the same numbers.

use formwork_ops::{AttrValue, Call, Type};

use super::{Change, Pass, reads};
use crate::model::{Model, Module, Node, NodeKind, OpNode, ValueId};

pub(super) const PASS: Pass = Pass { name: "fuse_rope", run };

fn run(model: &mut Model) -> Vec<Change> {
    model.modules.iter_mut().flat_map(fuse).collect()
}

fn fuse(module: &mut Module) -> Vec<Change> {
    std::iter::from_fn(|| {
        let rotation = (0..module.nodes.len()).find_map(|at| find(module, at))?;
        rewrite(module, &rotation)
    })
    .collect()
}

/// An attention and the nodes that rotate its queries and keys.
struct Rotation {
    at: usize,
    ropes: [usize; 2],
    config: AttrValue,
}

fn find(module: &Module, at: usize) -> Option<Rotation> {
    let node = &module.nodes[at];
    let attention = op(node, "attention").filter(|op| op.facts.state.is_some())?;
    let tokens = stream(node, attention)?;
    let [q, k] = [operand(node, attention, 0)?, operand(node, attention, 1)?].map(|value| rope(module, value, tokens));
    let ((q, config), (k, other)) = (q?, k?);
    (config == other).then(|| Rotation { at, ropes: [q, k], config: config.clone() })
}

/// The node that rotates a value which is read once, by the positions of these tokens, and how.
fn rope(module: &Module, value: ValueId, tokens: ValueId) -> Option<(usize, &AttrValue)> {
    let at = module.nodes.iter().position(|node| node.outputs == [value]).filter(|_| reads(module, value) == 1)?;
    let node = &module.nodes[at];
    let rope = op(node, "rope").filter(|rope| stream(node, rope) == Some(tokens))?;
    Some((at, rope.arguments.first()?))
}

fn op<'a>(node: &'a Node, name: &str) -> Option<&'a OpNode> {
    if let NodeKind::Op(op) = &node.kind { Some(op).filter(|op| op.op.name == name) } else { None }
}

fn operand(node: &Node, op: &OpNode, at: usize) -> Option<ValueId> {
    op.operands.get(at).copied().flatten().map(|slot| node.inputs[slot])
}

fn stream(node: &Node, op: &OpNode) -> Option<ValueId> {
    op.stream.map(|slot| node.inputs[slot])
}

/// The attention takes what was rotated for it.
fn rewrite(module: &mut Module, rotation: &Rotation) -> Option<Change> {
    let mut node = module.nodes[rotation.at].clone();
    let NodeKind::Op(op) = &mut node.kind else { return None };
    let taken = rotation.ropes.map(|rope| module.nodes[rope].inputs[0]);
    for (slot, x) in op.operands.iter().flatten().zip(taken) {
        node.inputs[*slot] = x;
    }
    let argument = op.op.attrs.iter().position(|attr| attr.name == "rope")?;
    op.arguments[argument] = rotation.config.clone();
    let operand = |slot: &Option<usize>| slot.map(|slot| module.value(node.inputs[slot]).ty.clone());
    let types: Vec<Option<Type>> = op.operands.iter().map(operand).collect();
    op.facts = (op.op.facts)(&Call { op: op.op, inputs: &types, attrs: &op.arguments }).ok()?;
    let [q, k] = taken.map(|x| &module.value(x).name);
    let (before, after) = (format!("attention(rope({q}), rope({k}), ..)"), format!("attention({q}, {k}, .., rope)"));
    let change = Change { pass: PASS.name, module: module.name.clone(), before, after };
    module.nodes[rotation.at] = node;
    let [first, last] = {
        let mut at = rotation.ropes;
        at.sort_unstable();
        at
    };
    module.nodes.remove(last);
    module.nodes.remove(first);
    Some(change)
}
