//! A branch that ends in a product, added to the residual as the product is made.
//!
//! Needs: a sum of two values of one type, one of them a product that the sum alone reads; it may be the only result of a block
//! that nothing else calls. Gives: one pass over memory less; the same numbers.

use formwork_ops::{Call, Type};

use super::{Change, Pass, calls, reads};
use crate::model::{Model, Module, ModuleId, NodeKind, Value, ValueId};

pub(super) const PASS: Pass = Pass { name: "fuse_residual", run };

fn run(model: &mut Model) -> Vec<Change> {
    let mut changes = Vec::new();
    for id in (0..model.modules.len()).map(ModuleId) {
        changes.extend(std::iter::from_fn(|| find(model, id).and_then(|sum| rewrite(model, id, &sum))));
    }
    changes
}

/// A sum, the branch that ends in a product, and the block and place of the product.
struct Sum {
    at: usize,
    residual: ValueId,
    branch: usize,
    product: (ModuleId, usize),
}

fn find(model: &Model, id: ModuleId) -> Option<Sum> {
    let module = model.module(id);
    module.nodes.iter().enumerate().find_map(|(at, node)| {
        let (NodeKind::Op(op), &[a, b]) = (&node.kind, node.inputs.as_slice()) else { return None };
        let ty = &module.value(*node.outputs.first()?).ty;
        if op.op.name != "add" || [a, b].iter().any(|id| !module.value(*id).ty.same(ty)) {
            return None;
        }
        [(a, b), (b, a)].into_iter().find_map(|(residual, value)| {
            let (branch, product) = branch(model, id, value)?;
            Some(Sum { at, residual, branch, product })
        })
    })
}

/// The node that makes a value which is read once, and its product.
fn branch(model: &Model, id: ModuleId, value: ValueId) -> Option<(usize, (ModuleId, usize))> {
    let module = model.module(id);
    let at = module.nodes.iter().position(|node| node.outputs == [value]).filter(|_| reads(module, value) == 1)?;
    match &module.nodes[at].kind {
        NodeKind::Op(op) if op.op.name == "linear" && module.nodes[at].inputs.len() == 1 => Some((at, (id, at))),
        NodeKind::Call(child) if calls(model, *child) == 1 => {
            let &[result] = model.module(*child).outputs.as_slice() else { return None };
            let inner = &model.module(*child).nodes;
            let product = inner.iter().position(|node| node.outputs == [result])?;
            let ends = matches!(inner[product].kind, NodeKind::Op(_));
            ends.then(|| branch(model, *child, result)).flatten().map(|(_, product)| (at, product))
        }
        _ => None,
    }
}

/// The branch takes the place of the sum, where both of its operands are there.
fn rewrite(model: &mut Model, id: ModuleId, sum: &Sum) -> Option<Change> {
    let (owner, product) = sum.product;
    let onto = if owner == id { sum.residual } else { residual(&mut model.modules[owner.0], product) };
    add_onto(&mut model.modules[owner.0], product, onto)?;
    let name = branch_name(model, id, sum.branch);
    let module = &mut model.modules[id.0];
    let of = module.value(sum.residual).name.clone();
    let mut branch = module.nodes[sum.branch].clone();
    if owner != id {
        branch.inputs.push(sum.residual);
    }
    branch.outputs = std::mem::take(&mut module.nodes[sum.at].outputs);
    module.nodes[sum.at] = branch;
    module.nodes.remove(sum.branch);
    let (before, after) = (format!("add({of}, {name}(..))"), format!("{name}(.., {of})"));
    Some(Change { pass: PASS.name, module: module.name.clone(), before, after })
}

/// What a block adds its product to, as its last argument.
fn residual(module: &mut Module, product: usize) -> ValueId {
    let output = module.value(module.nodes[product].outputs[0]);
    let value = Value { name: "residual".to_string(), ty: output.ty.clone(), span: output.span };
    let id = ValueId(module.values.len());
    module.values.push(value);
    module.inputs.push(id);
    id
}

fn add_onto(module: &mut Module, product: usize, onto: ValueId) -> Option<()> {
    let x = *module.nodes[product].inputs.first()?;
    let types: Vec<Option<Type>> = [x, onto].iter().map(|id| Some(module.value(*id).ty.clone())).collect();
    let node = &mut module.nodes[product];
    let NodeKind::Op(op) = &mut node.kind else { return None };
    op.facts = (op.op.facts)(&Call { op: op.op, inputs: &types, attrs: &op.arguments }).ok()?;
    op.operands = vec![Some(0), Some(1)];
    node.inputs.push(onto);
    Some(())
}

/// How the weights of a branch are called.
fn branch_name(model: &Model, id: ModuleId, at: usize) -> String {
    match &model.module(id).nodes[at].kind {
        NodeKind::Call(child) => model.module(*child).name.clone(),
        NodeKind::Op(op) if !op.path.is_empty() => op.path.clone(),
        _ => "linear".to_string(),
    }
}
