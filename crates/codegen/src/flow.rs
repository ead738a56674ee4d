//! Which values get a name of their own and which are written where they are used, decided before any code is printed.

use std::collections::BTreeMap;

use formwork_ir::{Model, Module, Node, NodeKind, ValueId};
use formwork_ops::Form;

/// How a node takes one of its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// `&x`
    Borrow,
    /// `x`, reusing its buffer.
    Move,
    /// An operand of `+`, `-` or `*`: either will do.
    Infix,
}

/// The order of evaluation of one list of nodes.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// For each value, the node whose statement its expression stands in.
    pub(crate) inlined: BTreeMap<ValueId, usize>,
    /// For each value, the statement that uses it last.
    pub(crate) last_use: BTreeMap<ValueId, usize>,
    /// How often a value is used by its last statement.
    last_count: BTreeMap<ValueId, usize>,
    /// The statement that each node is part of.
    pub(crate) statement: Vec<usize>,
}

/// How each operand of a node is taken, in the order of its inputs.
pub(crate) fn takes(node: &Node) -> Vec<Take> {
    let all = |take| vec![take; node.inputs.len()];
    let NodeKind::Op(op) = &node.kind else { return all(Take::Borrow) };
    let mut out = all(Take::Borrow);
    let take = match &op.facts.form {
        Form::Infix { .. } => Take::Infix,
        Form::Function { .. } | Form::Method { .. } | Form::Helper { .. } => Take::Move,
        Form::Layer { .. } | Form::Source { .. } | Form::StreamField { .. } | Form::Attention { .. } => Take::Borrow,
    };
    for at in op.operands.iter().flatten() {
        out[*at] = take;
    }
    if matches!(op.facts.form, Form::Attention { rope: Some(_), .. }) {
        // Queries and keys may rotate where they are.
        op.operands[..2].iter().flatten().for_each(|at| out[*at] = Take::Move);
    }
    out
}

impl Flow {
    /// `results` are the values that the list gives.
    pub(crate) fn of(model: &Model, module: &Module, nodes: &[Node], results: &[ValueId]) -> Self {
        let mut it = Self { statement: (0..nodes.len()).collect(), ..Self::default() };
        let uses = uses(nodes, results);
        for (at, node) in nodes.iter().enumerate().rev() {
            let [output] = node.outputs.as_slice() else { continue };
            let [(consumer, slot)] = uses.get(output).map(Vec::as_slice).unwrap_or_default() else { continue };
            if may_inline(model, module, nodes, at, *consumer, *slot) {
                let statement = if *consumer < nodes.len() { it.statement[*consumer] } else { nodes.len() };
                it.statement[at] = statement;
                it.inlined.insert(*output, *consumer);
            }
        }
        for (value, users) in &uses {
            let statement = |node: usize| if node < nodes.len() { it.statement[node] } else { nodes.len() };
            let last = users.iter().map(|(node, _)| statement(*node)).max().unwrap_or(0);
            it.last_count.insert(*value, users.iter().filter(|(node, _)| statement(*node) == last).count());
            it.last_use.insert(*value, last);
        }
        it
    }

    /// Whether a use in `statement` is the only one left.
    pub(crate) fn is_last(&self, value: ValueId, statement: usize) -> bool {
        self.last_use.get(&value) == Some(&statement) && self.last_count.get(&value) == Some(&1)
    }
}

/// Every use of a value: the node (the list's length for its results) and the slot among the node's inputs.
fn uses(nodes: &[Node], results: &[ValueId]) -> BTreeMap<ValueId, Vec<(usize, usize)>> {
    let mut out: BTreeMap<ValueId, Vec<(usize, usize)>> = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate() {
        for (slot, id) in node.inputs.iter().enumerate() {
            out.entry(*id).or_default().push((at, slot));
        }
        if let NodeKind::Repeat(repeat) = &node.kind {
            for id in repeat.kinds.iter().flat_map(|k| &k.captures) {
                out.entry(*id).or_default().push((at, usize::MAX));
            }
        }
    }
    for (slot, id) in results.iter().enumerate() {
        out.entry(*id).or_default().push((nodes.len(), slot));
    }
    out
}

/// A value that the spec did not name is written where it is used, if that reads well.
fn may_inline(model: &Model, module: &Module, nodes: &[Node], at: usize, consumer: usize, slot: usize) -> bool {
    let node = &nodes[at];
    let NodeKind::Op(op) = &node.kind else {
        let is_call = matches!(node.kind, NodeKind::Call(_));
        let in_place = consumer < nodes.len() && unnamed_call(model, module, node) && infix(&nodes[consumer], slot);
        return is_call && (in_place || is_result(nodes, at, consumer));
    };
    if matches!(op.facts.form, Form::StreamField { .. }) || is_result(nodes, at, consumer) {
        return true;
    }
    if node.outputs.iter().any(|v| module.value(*v).name != op.op.name) {
        return false;
    }
    if consumer == nodes.len() {
        return false;
    }
    let take = takes(&nodes[consumer]).get(slot).copied().unwrap_or(Take::Borrow);
    match take {
        Take::Move | Take::Infix => true,
        Take::Borrow => {
            let short = matches!(op.facts.form, Form::Infix { .. } | Form::Method { .. } | Form::Function { .. });
            let plain = node.inputs.iter().all(|i| !made_by_inline(module, nodes, at, *i));
            short && plain && matches!(&nodes[consumer].kind, NodeKind::Op(_))
        }
    }
}

/// Whether an input is itself an expression that would be written in place.
fn made_by_inline(module: &Module, nodes: &[Node], before: usize, id: ValueId) -> bool {
    nodes[..before].iter().any(|n| match &n.kind {
        NodeKind::Op(op) => n.outputs.contains(&id) && module.value(id).name == op.op.name,
        NodeKind::Call(_) => n.outputs.contains(&id),
        NodeKind::Repeat(_) | NodeKind::Once(_) | NodeKind::Together(_) | NodeKind::Probe(..) => false,
    })
}

/// Whether a node is the last one and its value the only result.
fn is_result(nodes: &[Node], at: usize, consumer: usize) -> bool {
    consumer == nodes.len() && at + 1 == nodes.len()
}

/// A call's value is called after the block until the spec binds it.
fn unnamed_call(model: &Model, module: &Module, node: &Node) -> bool {
    let NodeKind::Call(callee) = &node.kind else { return false };
    node.outputs.iter().all(|v| module.value(*v).name == model.module(*callee).name)
}

fn infix(node: &Node, slot: usize) -> bool {
    takes(node).get(slot) == Some(&Take::Infix)
}
