//! The last product of a model that generates, for the tokens asked for alone.
//!
//! Needs: the result is a product of states `[B, S, d]`, followed at most by ops that look at one token at a time. Gives: after
//! a prompt, the logits of its last token without those of all others.

use formwork_ops::asked::ASKED;
use formwork_ops::{Call, Grade, Type};

use super::{Change, Pass};
use crate::model::{Model, Module, Node, NodeKind, OpNode, Value, ValueId};

pub(super) const PASS: Pass = Pass { name: "last_logits", run };

fn run(model: &mut Model) -> Vec<Change> {
    let Some(stream) = growing_stream(model) else { return Vec::new() };
    let root = &mut model.modules[model.root.0];
    let Some(product) = last_product(root, stream) else { return Vec::new() };
    rewrite(root, product, stream).into_iter().collect()
}

/// The stream that grows step by step: the last one.
fn growing_stream(model: &Model) -> Option<ValueId> {
    let at = model.inputs.iter().rposition(|input| input.is_token_stream()).filter(|_| model.generates())?;
    model.root().inputs.get(at).copied()
}

/// The product that the result comes from, if no op after it can tell one token from another.
fn last_product(root: &Module, stream: ValueId) -> Option<usize> {
    let tokens = &root.value(stream).ty;
    let at = root.nodes.iter().rposition(|node| matches!(&node.kind, NodeKind::Op(op) if op.op.name == "linear"))?;
    let [x] = root.nodes[at].inputs.as_slice() else { return None };
    let mut value = is_state_of(&root.value(*x).ty, tokens).then_some(*x)?;
    for node in &root.nodes[at..] {
        let (NodeKind::Op(op), &[output]) = (&node.kind, node.outputs.as_slice()) else { return None };
        let others = node.inputs.iter().filter(|id| **id != value);
        if op.facts.state.is_some() || others.clone().any(|id| root.value(*id).ty.shape.len() > 1) {
            return None;
        }
        if others.count() < node.inputs.len() {
            value = is_state_of(&root.value(output).ty, tokens).then_some(output)?;
        }
    }
    (root.outputs == [value]).then_some(at)
}

/// Whether a type is `[B, S, d]` for tokens `[B, S]`.
fn is_state_of(ty: &Type, tokens: &Type) -> bool {
    ty.shape.len() == 3 && ty.shape.iter().zip(&tokens.shape).all(|(a, b)| a.same(b))
}

/// Puts `asked` before the product and says of everything after it that it is about fewer tokens.
fn rewrite(root: &mut Module, product: usize, stream: ValueId) -> Option<Change> {
    let (x, span) = (root.nodes[product].inputs[0], root.nodes[product].span);
    let (of, path) = (root.value(x).name.clone(), path(&root.nodes[product]));
    let states = [Some(root.value(x).ty.clone())];
    let facts = (ASKED.facts)(&Call { op: &ASKED, inputs: &states, attrs: &[] }).ok()?;
    let fewer = ValueId(root.values.len());
    root.values.push(Value { name: ASKED.name.to_string(), ty: facts.outputs[0].clone(), span });
    let mut swapped = (x, fewer);
    for at in product..root.nodes.len() {
        if root.nodes[at].inputs.contains(&swapped.0) {
            let output = root.nodes[at].outputs[0];
            link(root, at, swapped)?;
            swapped = (output, output);
        }
    }
    let op = OpNode {
        op: &ASKED,
        path: String::new(),
        operands: vec![Some(0)],
        stream: Some(1),
        arguments: Vec::new(),
        facts,
        grade: Grade::Plain,
    };
    let node = Node { kind: NodeKind::Op(op), inputs: vec![x, stream], outputs: vec![fewer], span };
    root.nodes.insert(product, node);
    let after = format!("{path}(asked({of}))");
    Some(Change { pass: PASS.name, module: root.name.clone(), before: format!("{path}({of})"), after })
}

/// Gives a node another operand, and its result the type that follows.
fn link(root: &mut Module, at: usize, (old, new): (ValueId, ValueId)) -> Option<()> {
    let mut node = root.nodes[at].clone();
    let NodeKind::Op(op) = &mut node.kind else { return None };
    node.inputs.iter_mut().filter(|id| **id == old).for_each(|id| *id = new);
    let operand = |slot: &Option<usize>| slot.map(|slot| root.value(node.inputs[slot]).ty.clone());
    let types: Vec<Option<Type>> = op.operands.iter().map(operand).collect();
    op.facts = (op.op.facts)(&Call { op: op.op, inputs: &types, attrs: &op.arguments }).ok()?;
    root.values[node.outputs[0].0].ty = op.facts.outputs[0].clone();
    root.nodes[at] = node;
    Some(())
}

/// How a node's weights are called, or its op.
fn path(node: &Node) -> String {
    match &node.kind {
        NodeKind::Op(op) if op.path.is_empty() => op.op.name.to_string(),
        NodeKind::Op(op) => op.path.clone(),
        _ => String::new(),
    }
}
