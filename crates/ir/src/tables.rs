//! Tables of vectors that a model's inputs index.

use formwork_diag::Span;
use formwork_ops::{Kind, Poly};

use crate::model::{Model, Node, NodeKind};

impl Model {
    /// The rows of the first table that an input of this kind indexes, and where the table stands.
    pub fn first_table(&self, kind: Kind) -> Option<(Poly, Span)> {
        self.modules.iter().rev().find_map(|module| {
            let mut nodes: Vec<&Node> = module.nodes.iter().collect();
            while let Some(node) = nodes.pop() {
                match &node.kind {
                    NodeKind::Once(inner) => nodes.extend(inner),
                    NodeKind::Op(op) if op.op.name == "embedding" => {
                        let indexed = node.inputs.first().map(|id| module.value(*id).ty.kind);
                        if indexed == Some(kind) {
                            let rows = op.facts.params.first().and_then(|p| p.shape.first()).cloned();
                            return rows.map(|rows| (rows, node.span));
                        }
                    }
                    _ => {}
                }
            }
            None
        })
    }
}
