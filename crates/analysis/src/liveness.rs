//! The peak of working memory: which values are alive at each step of the dataflow.
//!
//! Values are f32 and die after their last reader. A view shares its operand's buffer; an op that takes its operand by value
//! writes into it when nobody reads it later. A part's inputs live in its caller. Ids are not counted.

use std::collections::BTreeMap;

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
    let fused = module(model, run, model.root, "", false)?;
    let unfused = module(model, run, model.root, "", true)?;
    Ok(Peak { bytes: fused.0, at: fused.1, unfused_bytes: unfused.0 })
}

/// A module's peak without its inputs, and where it is.
fn module(model: &Model, run: &Run, id: ModuleId, path: &str, scores: bool) -> Result<(u128, String), AnalysisError> {
    let module = model.module(id);
    let nodes = flat(&module.nodes);
    let mut live = Live::new(module, &nodes);
    let mut best = (0, path.to_string());
    for (at, node) in nodes.iter().enumerate() {
        let (inner, place) = work(model, run, module, node, path, scores)?;
        let call = matches!(node.kind, NodeKind::Call(_) | NodeKind::Repeat(_));
        let before = exact::add(FIGURE, live.bytes, inner)?;
        live.produce(run, module, node, at)?;
        // A part's results are inside its own peak; an op's results stand beside what it works with.
        let during = if call { before.max(live.bytes) } else { exact::add(FIGURE, live.bytes, inner)? };
        if during > best.0 {
            best = (during, place);
        }
        live.free(at);
    }
    Ok(best)
}

/// Memory that a step needs for itself.
fn work(
    model: &Model,
    run: &Run,
    module_: &Module,
    node: &Node,
    path: &str,
    scores: bool,
) -> Result<(u128, String), AnalysisError> {
    let below = |id: ModuleId, path: &str| module(model, run, id, &join(path, &model.module(id).path), scores);
    match &node.kind {
        NodeKind::Call(child) => below(*child, path),
        NodeKind::Repeat(repeat) => {
            let path = join(path, &repeat.path);
            let mut best = (0, path.clone());
            for kind in &repeat.kinds {
                let inner = below(kind.module, &path)?;
                if inner.0 > best.0 {
                    best = inner;
                }
            }
            Ok(best)
        }
        NodeKind::Op(op) => {
            let own = if scores { score_bytes(run, module_, node, op)? } else { 0 };
            Ok((own, if op.path.is_empty() { join(path, op.op.name) } else { join(path, &op.path) }))
        }
        NodeKind::Once(_) | NodeKind::Probe(_) => Ok((0, path.to_string())),
    }
}

/// The scores of every head: `B·H·S·C` numbers.
fn score_bytes(run: &Run, module: &Module, node: &Node, op: &OpNode) -> Result<u128, AnalysisError> {
    let Some(attention) = &op.facts.flops.attention else { return Ok(0) };
    let Some(q) = node.inputs.first().map(|id| &module.value(*id).ty) else { return Ok(0) };
    let rows = run.value(&q.rows(), FIGURE)?;
    exact::mul(FIGURE, exact::mul(FIGURE, rows, run.value(&attention.keys, FIGURE)?)?, F32)
}

/// A module's steps with those that are computed once per source in their places.
fn flat(nodes: &[Node]) -> Vec<&Node> {
    let mut out = Vec::new();
    for node in nodes {
        match &node.kind {
            NodeKind::Once(inner) => out.extend(flat(inner)),
            NodeKind::Probe(_) => {}
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
        Self { bytes: 0, last, buffer: BTreeMap::new(), buffers: Vec::new() }
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
                }
                continue;
            }
            let reused = held.filter(|b| takes_by_value(node) && self.buffers[*b] == (size, at));
            match reused {
                Some(buffer) => self.share(*id, buffer, end),
                None => {
                    self.buffer.insert(*id, self.buffers.len());
                    self.buffers.push((size, end));
                    self.bytes = exact::add(FIGURE, self.bytes, size)?;
                }
            }
        }
        Ok(())
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
