//! Every use of an op, once for each kind of layer, with the loops around it. Cost grows with kinds, never with layers.

use std::collections::BTreeMap;

use formwork_ir::{Model, Module, ModuleId, Node, NodeKind, OpNode, Repeat, join, parameters};
use formwork_ops::{Param, Poly, Role, Type};

use crate::{AnalysisError, exact};

/// A loop around a use.
#[derive(Clone, Debug)]
pub(crate) struct Loop {
    /// Which loop, counted in the order of the dataflow.
    pub(crate) id: usize,
    /// Which kind of its layers.
    pub(crate) kind: usize,
    /// Layers of this kind.
    pub(crate) layers: u128,
    /// Layers of every kind.
    pub(crate) all: u128,
    /// Layers of every kind, by the spec's name.
    pub(crate) count: Poly,
    /// The index's name in paths.
    pub(crate) index: String,
    /// What makes the kind distinct.
    pub(crate) label: String,
}

/// A use of an op.
#[derive(Clone, Debug)]
pub(crate) struct Use<'m> {
    pub(crate) op: &'m OpNode,
    pub(crate) node: &'m Node,
    pub(crate) module: &'m Module,
    /// The path of its parameters, or of its module when it has none; loop indices stand in braces.
    pub(crate) path: String,
    pub(crate) loops: Vec<Loop>,
    /// How often one layer's weights are used: the turns of the loops around that share them.
    pub(crate) turns: Poly,
    /// Whether it is computed once per source.
    pub(crate) once: bool,
}

/// A model's uses of ops and the parameters that share storage with another.
#[derive(Debug)]
pub(crate) struct Census<'m> {
    pub(crate) model: &'m Model,
    pub(crate) uses: Vec<Use<'m>>,
    shared: BTreeMap<String, String>,
}

impl<'m> Census<'m> {
    pub(crate) fn of(model: &'m Model) -> Self {
        let shared = parameters(model).into_iter().filter_map(|p| Some((p.path, p.shared?))).collect();
        let mut walk = Walk { model, uses: Vec::new(), loops: 0 };
        walk.module(model.root, "", &[], &Poly::int(1), false);
        Self { model, uses: walk.uses, shared }
    }

    /// The other parameter whose storage a use's parameter shares.
    pub(crate) fn shared(&self, used: &Use<'_>, param: &Param) -> Option<&str> {
        self.shared.get(&join(&used.path, param.name)).map(String::as_str)
    }

    /// A use's parameters with storage of their own and this role.
    pub(crate) fn owned<'a>(&'a self, used: &'a Use<'m>, role: Role) -> impl Iterator<Item = &'m Param> + 'a {
        let params = &used.op.facts.params;
        params.iter().filter(move |p| p.role == role && self.shared(used, p).is_none())
    }
}

impl Use<'_> {
    /// How many layers have it.
    pub(crate) fn layers(&self) -> Result<u128, AnalysisError> {
        self.loops.iter().try_fold(1, |product, l| exact::mul(&self.path, product, l.layers))
    }

    /// What messages call it.
    pub(crate) fn figure(&self) -> String {
        if self.path.is_empty() {
            format!("the work of `{}`", self.op.op.name)
        } else {
            format!("the work of `{}`", self.path)
        }
    }

    /// The type of a declared operand.
    pub(crate) fn operand(&self, at: usize) -> Option<&Type> {
        let place = (*self.op.operands.get(at)?)?;
        Some(&self.module.value(*self.node.inputs.get(place)?).ty)
    }
}

struct Walk<'m> {
    model: &'m Model,
    uses: Vec<Use<'m>>,
    loops: usize,
}

impl<'m> Walk<'m> {
    fn module(&mut self, id: ModuleId, path: &str, loops: &[Loop], turns: &Poly, once: bool) {
        let module = self.model.module(id);
        self.nodes(module, &module.nodes, path, loops, turns, once);
    }

    fn nodes(&mut self, module: &'m Module, nodes: &'m [Node], path: &str, loops: &[Loop], turns: &Poly, once: bool) {
        for node in nodes {
            match &node.kind {
                NodeKind::Op(op) => self.uses.push(Use {
                    op,
                    node,
                    module,
                    path: join(path, &op.path),
                    loops: loops.to_vec(),
                    turns: turns.clone(),
                    once,
                }),
                NodeKind::Call(child) => {
                    self.module(*child, &join(path, &self.model.module(*child).path), loops, turns, once)
                }
                NodeKind::Once(inner) => self.nodes(module, inner, path, loops, turns, true),
                NodeKind::Together(inner) => self.nodes(module, inner, path, loops, turns, once),
                NodeKind::Repeat(repeat) => self.repeat(repeat, path, loops, turns, once),
                NodeKind::Probe(..) => {}
            }
        }
    }

    fn repeat(&mut self, repeat: &'m Repeat, path: &str, loops: &[Loop], turns: &Poly, once: bool) {
        if repeat.is_shared() {
            let turns = turns * &repeat.count;
            for layer in &repeat.kinds {
                self.module(layer.module, &join(path, &repeat.path), loops, &turns, once);
            }
            return;
        }
        let id = self.loops;
        self.loops += 1;
        for (kind, layer) in repeat.kinds.iter().enumerate() {
            let mut loops = loops.to_vec();
            loops.push(Loop {
                id,
                kind,
                layers: exact::count(repeat.layers_of(kind)),
                all: exact::count(repeat.schedule.len()),
                count: repeat.count.clone(),
                index: repeat.index.clone(),
                label: layer.label.clone(),
            });
            self.module(layer.module, &join(path, &repeat.path), &loops, turns, once);
        }
    }
}
