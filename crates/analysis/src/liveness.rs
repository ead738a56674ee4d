//! The peak of working memory: which values are alive at each step of the dataflow.
//!
//! Values are f32 and die after their last reader. A view shares its operand's buffer; an op that takes its operand by value
//! writes into it when nobody reads it later. A part takes over the inputs that nobody reads after it, and a loop what it
//! carries. Ids are not counted.

use std::collections::{BTreeMap, BTreeSet};

use formwork_ir::{Model, Module, ModuleId, Node, NodeKind, OpNode, ValueId, join};
use formwork_ops::{Form, Kind};

use crate::run::Run;
use crate::{AnalysisError, exact};

/// The highest working memory and where it is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// Bytes, where attention never holds a whole matrix of scores.
    pub bytes: u128,
    /// The part that runs then.
    pub at: String,
    /// Bytes, where attention holds every head's scores.
    pub unfused_bytes: u128,
}

const F32: u128 = 4;
const FIGURE: &str = "the activations";

/// The peak of a run.
pub(crate) fn peak(model: &Model, run: &Run) -> Result<Peak, AnalysisError> {
    let (fused, at) = Walk { model, run, scores: false }.module(model.root, &[], "")?;
    let (unfused, _) = Walk { model, run, scores: true }.module(model.root, &[], "")?;
    Ok(Peak { bytes: fused, at, unfused_bytes: unfused })
}

struct Walk<'m> {
    model: &'m Model,
    run: &'m Run,
    /// Whether attention holds its scores.
    scores: bool,
}

impl Walk<'_> {
    /// A module's peak and where it is. Inputs that its caller gives away (`owned`) are its own; the others live in the caller.
    fn module(&self, id: ModuleId, owned: &[bool], path: &str) -> Result<(u128, String), AnalysisError> {
        let module = self.model.module(id);
        let nodes = flat(&module.nodes);
        let mut live = Live::new(module, &nodes);
        for (input, _) in module.inputs.iter().zip(owned).filter(|(_, owned)| **owned) {
            live.allocate(self.run, module, *input, 0)?;
        }
        let mut best = (live.bytes, path.to_string());
        for (at, node) in nodes.iter().enumerate() {
            let given = live.given(node, at);
            let kept = live.bytes - live.size_of(&given);
            let (inner, place) = self.work(module, node, &given, path)?;
            live.produce(self.run, module, node, at)?;
            // A part's results are inside its own peak; an op's results stand beside what it works with.
            let beside = if is_part(node) { kept } else { live.bytes };
            let during = exact::add(FIGURE, beside, inner)?;
            if during > best.0 {
                best = (during, place);
            }
            live.free(at);
        }
        Ok(best)
    }

    /// Memory that a step needs for itself.
    fn work(
        &self,
        module: &Module,
        node: &Node,
        given: &[ValueId],
        path: &str,
    ) -> Result<(u128, String), AnalysisError> {
        let below =
            |id: ModuleId, owned: &[bool], path: &str| self.module(id, owned, &join(path, &self.model.module(id).path));
        match &node.kind {
            NodeKind::Call(child) => {
                let owned: Vec<bool> = node.inputs.iter().map(|id| given.contains(id)).collect();
                below(*child, &owned, path)
            }
            NodeKind::Repeat(repeat) => {
                let path = join(path, &repeat.path);
                let carried = vec![true; node.inputs.len()];
                let mut best = (0, path.clone());
                for kind in &repeat.kinds {
                    let inner = below(kind.module, &carried, &path)?;
                    if inner.0 > best.0 {
                        best = inner;
                    }
                }
                Ok(best)
            }
            NodeKind::Op(op) => {
                let own = if self.scores { self.score_bytes(module, node, op)? } else { 0 };
                Ok((own, if op.path.is_empty() { join(path, op.op.name) } else { join(path, &op.path) }))
            }
            NodeKind::Once(_) | NodeKind::Together(_) | NodeKind::Probe(..) => Ok((0, path.to_string())),
        }
    }

    /// The scores of every head: `B·H·S·C` numbers.
    fn score_bytes(&self, module: &Module, node: &Node, op: &OpNode) -> Result<u128, AnalysisError> {
        let Some(attention) = &op.facts.flops.attention else { return Ok(0) };
        let Some(q) = node.inputs.first().map(|id| &module.value(*id).ty) else { return Ok(0) };
        let rows = self.run.value(&q.rows(), FIGURE)?;
        exact::mul(FIGURE, exact::mul(FIGURE, rows, self.run.value(&attention.keys, FIGURE)?)?, F32)
    }
}

/// A module's steps with those that are computed once per source in their places.
fn flat(nodes: &[Node]) -> Vec<&Node> {
    let mut out = Vec::new();
    for node in nodes {
        match &node.kind {
            NodeKind::Once(inner) | NodeKind::Together(inner) => out.extend(flat(inner)),
            NodeKind::Probe(..) => {}
            _ => out.push(node),
        }
    }
    out
}

/// The buffers that are alive.
struct Live {
    bytes: u128,
    last: BTreeMap<ValueId, usize>,
    /// The buffer of each value; inputs have none.
    buffer: BTreeMap<ValueId, usize>,
    /// Values that are views of another's buffer; they are never given away.
    views: BTreeSet<ValueId>,
    /// Size of each buffer and the step after which it is free.
    buffers: Vec<(u128, usize)>,
}

impl Live {
    fn new(module: &Module, nodes: &[&Node]) -> Self {
        let mut last = BTreeMap::new();
        for (at, node) in nodes.iter().enumerate() {
            let captures: Vec<ValueId> = match &node.kind {
                NodeKind::Repeat(repeat) => repeat.kinds.iter().flat_map(|k| k.captures.iter().copied()).collect(),
                _ => Vec::new(),
            };
            for id in node.inputs.iter().chain(&captures) {
                last.insert(*id, at);
            }
        }
        last.extend(module.outputs.iter().map(|id| (*id, usize::MAX)));
        Self { bytes: 0, last, buffer: BTreeMap::new(), views: BTreeSet::new(), buffers: Vec::new() }
    }

    fn produce(&mut self, run: &Run, module: &Module, node: &Node, at: usize) -> Result<(), AnalysisError> {
        let first = node.inputs.first().copied();
        for id in &node.outputs {
            let ty = &module.value(*id).ty;
            if ty.kind != Kind::F32 {
                continue;
            }
            let end = self.last.get(id).copied().unwrap_or(at);
            let size = exact::mul(FIGURE, run.value(&ty.numel(), FIGURE)?, F32)?;
            let held = first.and_then(|f| self.buffer.get(&f).copied());
            if is_view(node) {
                if let Some(buffer) = held {
                    self.share(*id, buffer, end);
                    self.views.insert(*id);
                }
                continue;
            }
            let reused = held.filter(|b| takes_by_value(node) && self.buffers[*b] == (size, at));
            match reused {
                Some(buffer) => self.share(*id, buffer, end),
                None => self.allocate(run, module, *id, at)?,
            }
        }
        Ok(())
    }

    /// A buffer of its own for a value made at a step.
    fn allocate(&mut self, run: &Run, module: &Module, id: ValueId, at: usize) -> Result<(), AnalysisError> {
        let ty = &module.value(id).ty;
        if ty.kind == Kind::F32 {
            let size = exact::mul(FIGURE, run.value(&ty.numel(), FIGURE)?, F32)?;
            self.buffer.insert(id, self.buffers.len());
            self.buffers.push((size, self.last.get(&id).copied().unwrap_or(at)));
            self.bytes = exact::add(FIGURE, self.bytes, size)?;
        }
        Ok(())
    }

    /// What a part may consume: inputs whose buffers nobody needs after it.
    fn given(&self, node: &Node, at: usize) -> Vec<ValueId> {
        let mut out: Vec<ValueId> = Vec::new();
        let mut buffers = Vec::new();
        for id in node.inputs.iter().filter(|id| is_part(node) && !self.views.contains(*id)) {
            let buffer = self.buffer.get(id).filter(|b| self.buffers[**b].1 == at && !buffers.contains(*b));
            if let Some(buffer) = buffer {
                buffers.push(*buffer);
                out.push(*id);
            }
        }
        out
    }

    fn size_of(&self, values: &[ValueId]) -> u128 {
        values.iter().filter_map(|id| self.buffer.get(id)).map(|b| self.buffers[*b].0).sum()
    }

    fn share(&mut self, id: ValueId, buffer: usize, end: usize) {
        self.buffer.insert(id, buffer);
        self.buffers[buffer].1 = self.buffers[buffer].1.max(end);
    }

    /// Drops what nobody reads after a step.
    fn free(&mut self, at: usize) {
        for (size, end) in &mut self.buffers {
            if *end <= at {
                self.bytes -= std::mem::take(size);
            }
        }
    }
}

/// Whether a step is a module of its own.
fn is_part(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Call(_) | NodeKind::Repeat(_))
}

/// Whether a step only looks at its operand in another shape.
fn is_view(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Op(op) => matches!(op.facts.form, Form::Method { .. }),
        _ => false,
    }
}

fn takes_by_value(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Op(op) => matches!(op.facts.form, Form::Helper { .. } | Form::Function { .. } | Form::Infix { .. }),
        _ => false,
    }
}
