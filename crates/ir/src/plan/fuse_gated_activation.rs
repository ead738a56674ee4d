//! `act(gate) * up` in one pass over memory.
//!
//! Needs: the activation's value is used by the product alone. Gives: one op instead of two; the same numbers.

use formwork_ops::{Call, Grade, Op, Type};

use super::{Change, Pass, reads};
use crate::model::{Model, Module, Node, NodeKind, OpNode, ValueId};

pub(super) const PASS: Pass = Pass { name: "fuse_gated_activation", run };

fn run(model: &mut Model) -> Vec<Change> {
    model.modules.iter_mut().flat_map(fuse).collect()
}

fn fuse(module: &mut Module) -> Vec<Change> {
    let mut changes = Vec::new();
    while let Some((activation, product)) = find(module) {
        let Some(change) = rewrite(module, activation, product) else { break };
        changes.push(change);
    }
    changes
}

/// An activation and the product that alone uses it.
fn find(module: &Module) -> Option<(usize, usize)> {
    module.nodes.iter().enumerate().find_map(|(at, node)| {
        let NodeKind::Op(op) = &node.kind else { return None };
        fused(op.op)?;
        let value = *node.outputs.first()?;
        if reads(module, value) != 1 {
            return None;
        }
        let product = module.nodes.iter().position(|n| n.inputs.first() == Some(&value))?;
        let is_product = matches!(&module.nodes[product].kind, NodeKind::Op(p) if p.op.name == "mul");
        let same = |id: &ValueId| module.value(*id).ty == module.value(value).ty;
        (is_product && module.nodes[product].inputs.get(1).is_some_and(same)).then_some((at, product))
    })
}

/// The op that computes an activation and a product together.
fn fused(activation: &Op) -> Option<&'static Op> {
    formwork_ops::find(&format!("gated_{}", activation.name))
}

fn rewrite(module: &mut Module, activation: usize, product: usize) -> Option<Change> {
    let NodeKind::Op(old) = &module.nodes[activation].kind else { return None };
    let (before, op) = (format!("mul({}(gate), up)", old.op.name), fused(old.op)?);
    let gate = *module.nodes[activation].inputs.first()?;
    let up = *module.nodes[product].inputs.get(1)?;
    let types: Vec<Option<Type>> = [gate, up].iter().map(|id| Some(module.value(*id).ty.clone())).collect();
    let facts = (op.facts)(&Call { op, inputs: &types, attrs: &[] }).ok()?;
    // What the spec called the activated gate now names the gate itself.
    let activated = &module.value(*module.nodes[activation].outputs.first()?).name;
    if !module.inputs.contains(&gate) && *activated != old.op.name {
        module.values[gate.0].name = activated.clone();
    }
    let output = *module.nodes[product].outputs.first()?;
    if module.value(output).name == "mul" {
        module.values[output.0].name = op.name.to_string();
    }
    let operands = vec![Some(0), Some(1)];
    let node =
        OpNode { op, path: String::new(), operands, stream: None, arguments: Vec::new(), facts, grade: Grade::Plain };
    let (outputs, span) = (module.nodes[product].outputs.clone(), module.nodes[product].span);
    module.nodes[product] = Node { kind: NodeKind::Op(node), inputs: vec![gate, up], outputs, span };
    module.nodes.remove(activation);
    Some(Change { pass: PASS.name, module: module.name.clone(), before, after: format!("{}(gate, up)", op.name) })
}
