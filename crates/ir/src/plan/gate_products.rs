//! The activation of a gate inside the product of gate and values.
//!
//! Needs: a gated activation that alone reads the two values of a joint product. Gives: the two are joined piece by piece, while
//! they are in the cache, and one pass over memory and one meeting of the threads less; the same numbers.

use formwork_ops::activation::gate;

use super::{Change, Pass, reads};
use crate::model::{Model, Module, Node, NodeKind};

pub(super) const PASS: Pass = Pass { name: "gate_products", run };

fn run(model: &mut Model) -> Vec<Change> {
    let all = |module: &mut Module| std::iter::from_fn(|| find(module).map(|found| rewrite(module, found))).collect();
    model.modules.iter_mut().flat_map::<Vec<_>, _>(all).collect()
}

/// A joint product of gate and values, and the activation that reads them.
fn find(module: &Module) -> Option<(usize, usize)> {
    module.nodes.iter().enumerate().find_map(|(at, node)| {
        matches!(&node.kind, NodeKind::Op(op) if gate(op.op).is_some()).then_some(())?;
        let product = module.nodes.iter().position(|product| makes(product, node))?;
        node.inputs.iter().all(|id| reads(module, *id) == 1).then_some((product, at))
    })
}

/// Whether a joint product gives just what a node reads.
fn makes(product: &Node, reader: &Node) -> bool {
    let same =
        product.outputs.len() == reader.inputs.len() && product.outputs.iter().all(|id| reader.inputs.contains(id));
    same && matches!(product.kind, NodeKind::Together(_))
}

/// The product takes the place of the activation, the gate first.
fn rewrite(module: &mut Module, (product, at): (usize, usize)) -> Change {
    let activation = module.nodes[at].clone();
    let NodeKind::Op(op) = &activation.kind else { unreachable!("an activation is an op") };
    let name = op.op.name;
    let [gate, up] = [0, 1].map(|operand| module.value(activation.inputs[operand]).name.clone());
    let (before, after) = (format!("{name}({gate}, {up})"), format!("[{gate}, {up}, {name}]"));
    let output = &mut module.values[activation.outputs[0].0].name;
    if output == name {
        *output = "gated".to_string();
    }
    let mut joint = module.nodes[product].clone();
    let NodeKind::Together(inner) = &mut joint.kind else { unreachable!("a joint product") };
    inner.sort_by_key(|node| node.outputs.first() != activation.inputs.first());
    joint.outputs.clone_from(&activation.outputs);
    inner.push(activation);
    module.nodes[at] = joint;
    module.nodes.remove(product);
    Change { pass: PASS.name, module: module.name.clone(), before, after }
}
