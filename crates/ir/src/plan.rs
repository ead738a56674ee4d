//! The plan IR: the model as one target runs it. Passes rewrite dataflow; no pass renames a module or changes a result beyond rounding.

mod defer_norm;
mod fuse_gated_activation;
mod fuse_residual;
mod fuse_rope;
mod gate_products;
mod grade_matrices;
mod join_products;
mod last_logits;

use crate::model::{Model, Module, ModuleId, Node, NodeKind, ValueId};

/// A model ready for code generation, and what the passes did to it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The rewritten model.
    pub model: Model,
    /// What changed, in order.
    pub changes: Vec<Change>,
}

/// One rewrite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The pass.
    pub pass: &'static str,
    /// The block it changed.
    pub module: String,
    /// What stood there.
    pub before: String,
    /// What stands there now.
    pub after: String,
}

/// A rewrite of the dataflow.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Its name.
    pub name: &'static str,
    run: fn(&mut Model) -> Vec<Change>,
}

/// Every pass, in order.
pub const PASSES: &[Pass] = &[
    grade_matrices::PASS,
    fuse_gated_activation::PASS,
    last_logits::PASS,
    join_products::PASS,
    gate_products::PASS,
    fuse_residual::PASS,
    fuse_rope::PASS,
    defer_norm::PASS,
];

/// Plans a model for the CPU.
pub fn plan(model: &Model) -> Plan {
    plan_with(model, PASSES)
}

/// Plans a model by some of the passes, in the order given.
pub fn plan_with(model: &Model, passes: &[Pass]) -> Plan {
    let mut model = model.clone();
    let changes = passes.iter().flat_map(|pass| (pass.run)(&mut model)).collect();
    Plan { model, changes }
}

/// How often a value is read, results included.
fn reads(module: &Module, value: ValueId) -> usize {
    fn within(nodes: &[Node], value: ValueId) -> usize {
        let of = |node: &Node| {
            let below = match &node.kind {
                NodeKind::Repeat(it) => {
                    it.kinds.iter().flat_map(|kind| &kind.captures).filter(|id| **id == value).count()
                }
                NodeKind::Once(inner) | NodeKind::Together(inner) => within(inner, value),
                NodeKind::Op(_) | NodeKind::Call(_) | NodeKind::Probe(..) => 0,
            };
            below + node.inputs.iter().filter(|id| **id == value).count()
        };
        nodes.iter().map(of).sum()
    }
    within(&module.nodes, value) + module.outputs.iter().filter(|id| **id == value).count()
}

/// How often a block is called.
fn calls(model: &Model, id: ModuleId) -> usize {
    fn within(nodes: &[Node], id: ModuleId) -> usize {
        let of = |node: &Node| match &node.kind {
            NodeKind::Call(child) => usize::from(*child == id),
            NodeKind::Repeat(it) => it.kinds.iter().filter(|kind| kind.module == id).count(),
            NodeKind::Once(inner) | NodeKind::Together(inner) => within(inner, id),
            NodeKind::Op(_) | NodeKind::Probe(..) => 0,
        };
        nodes.iter().map(of).sum()
    }
    model.modules.iter().map(|module| within(&module.nodes, id)).sum()
}
