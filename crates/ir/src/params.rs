//! Every parameter of a model by its checkpoint name; layers of a loop share one entry.

use formwork_diag::Span;
use formwork_ops::{Poly, Role};

use crate::model::{Model, ModuleId, Node, NodeKind};

/// A parameter, or the like parameters of a loop's layers.
#[derive(Clone, Debug)]
pub struct ParamEntry {
    /// Its path; loop indices stand in braces.
    pub path: String,
    /// Its shape.
    pub shape: Vec<Poly>,
    /// Whether it counts.
    pub role: Role,
    /// The loops around it: the index's name and the layers that have it.
    pub layers: Vec<(String, Vec<usize>)>,
    /// The parameter whose storage it shares.
    pub shared: Option<String>,
    /// Where its op stands.
    pub span: Span,
}

impl ParamEntry {
    /// Elements of one layer's tensor.
    pub fn numel(&self) -> Poly {
        self.shape.iter().cloned().product()
    }

    /// How many layers have it.
    pub fn copies(&self) -> usize {
        self.layers.iter().map(|(_, layers)| layers.len()).product()
    }

    /// The shape in the spec's symbols and in numbers.
    pub fn shape_text(&self) -> String {
        let dims: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        format!("[{}]", dims.join(", "))
    }

    /// Whether some layer of both has the same name.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.path == other.path && self.layers.iter().zip(&other.layers).all(|((_, a), (_, b))| share(a, b))
    }
}

/// Whether two ascending lists have an element in common.
fn share(a: &[usize], b: &[usize]) -> bool {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => a.next(),
            std::cmp::Ordering::Greater => b.next(),
            std::cmp::Ordering::Equal => return true,
        };
    }
    false
}

/// The parameters in the order of the dataflow.
pub fn parameters(model: &Model) -> Vec<ParamEntry> {
    let mut out = Vec::new();
    walk(model, model.root, "", &[], &mut out);
    for entry in &mut out {
        entry.shared = model.weights.shared_with(&entry.path);
    }
    let paths: Vec<String> = out.iter().map(|e| e.path.clone()).collect();
    for entry in &mut out {
        if entry.shared.as_ref().is_some_and(|other| !paths.contains(other)) {
            entry.shared = None;
        }
    }
    out
}

/// The number of parameters, shared ones once and buffers apart; `None` where it leaves 128 bits.
pub fn parameter_count(model: &Model) -> Option<u128> {
    let counted = parameters(model).into_iter().filter(|p| p.shared.is_none() && p.role == Role::Param);
    counted.map(|p| (p.numel().constant(), p.copies())).try_fold(0u128, |sum, (numel, copies)| {
        let numel = u128::try_from(numel?).ok()?;
        sum.checked_add(numel.checked_mul(copies as u128)?)
    })
}

/// A path below another; either may be empty.
pub fn join(prefix: &str, name: &str) -> String {
    match (prefix.is_empty(), name.is_empty()) {
        (true, _) => name.to_string(),
        (_, true) => prefix.to_string(),
        _ => format!("{prefix}.{name}"),
    }
}

fn walk(model: &Model, id: ModuleId, prefix: &str, layers: &[(String, Vec<usize>)], out: &mut Vec<ParamEntry>) {
    walk_nodes(model, &model.module(id).nodes, prefix, layers, out);
}

fn walk_nodes(model: &Model, nodes: &[Node], prefix: &str, layers: &[(String, Vec<usize>)], out: &mut Vec<ParamEntry>) {
    for node in nodes {
        match &node.kind {
            NodeKind::Op(op) => {
                let path = join(prefix, &op.path);
                out.extend(op.facts.params.iter().map(|param| ParamEntry {
                    path: join(&path, param.name),
                    shape: param.shape.clone(),
                    role: param.role,
                    layers: layers.to_vec(),
                    shared: None,
                    span: node.span,
                }));
            }
            NodeKind::Call(child) => walk(model, *child, &join(prefix, &model.module(*child).path), layers, out),
            NodeKind::Once(inner) | NodeKind::Together(inner) => walk_nodes(model, inner, prefix, layers, out),
            NodeKind::Repeat(repeat) => {
                for (kind, layer) in repeat.kinds.iter().enumerate() {
                    let indices = (0..repeat.schedule.len()).filter(|i| repeat.schedule[*i] == kind).collect();
                    let mut layers = layers.to_vec();
                    if !repeat.is_shared() {
                        layers.push((repeat.index.clone(), indices));
                    }
                    walk(model, layer.module, &join(prefix, &repeat.path), &layers, out);
                }
            }
            NodeKind::Probe(..) => {}
        }
    }
}
