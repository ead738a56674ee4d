//! What each op is for, read off the dataflow: attention's projections, the feed-forward, the head, norms, tables.

use std::collections::{BTreeMap, BTreeSet};

use formwork_ir::{Model, Module, ModuleId, Node, NodeKind, OpNode, ValueId};

use crate::params::is_table;
use crate::visit::Use;

/// What an op is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Rows chosen by ids.
    Table,
    /// A matrix around attention.
    Projection,
    /// Another matrix in a layer.
    FeedForward,
    /// A matrix outside the layers.
    Outside,
    /// Vectors only: a norm.
    Norm,
    /// Something else with parameters.
    Other,
}

/// The matrices around attention.
pub(crate) struct Roles {
    projections: BTreeSet<*const OpNode>,
}

impl Roles {
    pub(crate) fn of(model: &Model) -> Self {
        let mut walk = Walk { model, marked: BTreeSet::new(), ports: BTreeMap::new() };
        walk.module(model.root);
        Self { projections: walk.marked }
    }

    pub(crate) fn purpose(&self, used: &Use<'_>) -> Purpose {
        let matrix = is_linear(used.op);
        match (matrix, used.loops.is_empty()) {
            (true, _) if self.projections.contains(&std::ptr::from_ref(used.op)) => Purpose::Projection,
            (true, false) => Purpose::FeedForward,
            (true, true) => Purpose::Outside,
            (false, _) if is_table(used) => Purpose::Table,
            (false, _) if used.op.facts.params.iter().all(|p| p.shape.len() == 1) => Purpose::Norm,
            (false, _) => Purpose::Other,
        }
    }
}

/// Whether an op multiplies by a matrix of its own.
fn is_linear(op: &OpNode) -> bool {
    !op.facts.flops.matmul.is_zero() && op.facts.params.iter().any(|p| p.shape.len() == 2)
}

/// How attention is seen from outside a module.
#[derive(Clone, Default)]
struct Ports {
    /// Inputs that reach attention without a matrix on the way.
    feeds: BTreeSet<usize>,
    /// Results that come from attention without a matrix on the way.
    attended: BTreeSet<usize>,
}

struct Walk<'m> {
    model: &'m Model,
    marked: BTreeSet<*const OpNode>,
    ports: BTreeMap<ModuleId, Ports>,
}

impl<'m> Walk<'m> {
    fn module(&mut self, id: ModuleId) -> Ports {
        if let Some(ports) = self.ports.get(&id) {
            return ports.clone();
        }
        let model = self.model;
        let module = model.module(id);
        let nodes = flat(&module.nodes);
        for node in &nodes {
            match &node.kind {
                NodeKind::Call(child) => drop(self.module(*child)),
                NodeKind::Repeat(repeat) => repeat.kinds.iter().for_each(|k| drop(self.module(k.module))),
                _ => {}
            }
        }
        let ports = Ports { feeds: self.before(module, &nodes), attended: self.after(module, &nodes) };
        self.ports.insert(id, ports.clone());
        ports
    }

    /// Marks what leads into attention; gives the inputs that reach it bare.
    fn before(&mut self, module: &Module, nodes: &[&'m Node]) -> BTreeSet<usize> {
        let mut open: Vec<(ValueId, bool)> = Vec::new();
        for node in nodes {
            match &node.kind {
                NodeKind::Op(op) if op.facts.flops.attention.is_some() => {
                    open.extend(node.inputs.iter().take(3).map(|id| (*id, true)));
                }
                NodeKind::Call(child) => {
                    let ports = self.module(*child);
                    open.extend(ports.feeds.iter().filter_map(|at| Some((*node.inputs.get(*at)?, true))));
                }
                _ => {}
            }
        }
        let mut feeds = BTreeSet::new();
        let mut seen = BTreeSet::new();
        while let Some((value, bare)) = open.pop() {
            if !seen.insert((value, bare)) {
                continue;
            }
            let Some(node) = nodes.iter().find(|n| n.outputs.contains(&value)) else {
                feeds.extend(module.inputs.iter().position(|i| *i == value).filter(|_| bare));
                continue;
            };
            let bare = match &node.kind {
                NodeKind::Op(op) if is_linear(op) => {
                    self.marked.insert(std::ptr::from_ref(op));
                    false
                }
                // A sum is a residual: what came before it belongs to another branch.
                NodeKind::Op(op) if op.op.name == "add" || op.facts.flops.attention.is_some() => continue,
                NodeKind::Op(_) => bare,
                NodeKind::Call(child) => !self.mark_all(*child) && bare,
                NodeKind::Repeat(_) | NodeKind::Once(_) | NodeKind::Together(_) | NodeKind::Probe(..) => continue,
            };
            open.extend(node.inputs.iter().map(|id| (*id, bare)));
        }
        feeds
    }

    /// Marks the matrices that attention's results meet first; gives the results that meet none.
    fn after(&mut self, module: &Module, nodes: &[&'m Node]) -> BTreeSet<usize> {
        let mut attended: BTreeSet<ValueId> = BTreeSet::new();
        for node in nodes {
            let reads = node.inputs.iter().any(|id| attended.contains(id));
            match &node.kind {
                NodeKind::Op(op) if op.facts.flops.attention.is_some() => attended.extend(&node.outputs),
                NodeKind::Op(op) if reads && is_linear(op) => {
                    self.marked.insert(std::ptr::from_ref(op));
                }
                NodeKind::Op(op) if reads && op.facts.params.is_empty() && op.op.name != "add" => {
                    attended.extend(&node.outputs);
                }
                NodeKind::Call(child) => {
                    let ports = self.module(*child);
                    attended.extend(ports.attended.iter().filter_map(|at| node.outputs.get(*at)));
                }
                _ => {}
            }
        }
        (0..module.outputs.len()).filter(|at| attended.contains(&module.outputs[*at])).collect()
    }

    /// Marks every matrix of a part that leads into attention; whether there is one.
    fn mark_all(&mut self, id: ModuleId) -> bool {
        let mut any = false;
        for node in flat(&self.model.module(id).nodes) {
            match &node.kind {
                NodeKind::Op(op) if is_linear(op) => {
                    self.marked.insert(std::ptr::from_ref(op));
                    any = true;
                }
                NodeKind::Call(child) => any |= self.mark_all(*child),
                _ => {}
            }
        }
        any
    }
}

fn flat(nodes: &[Node]) -> Vec<&Node> {
    let mut out = Vec::new();
    for node in nodes {
        match &node.kind {
            NodeKind::Once(inner) | NodeKind::Together(inner) => out.extend(flat(inner)),
            _ => out.push(node),
        }
    }
    out
}
