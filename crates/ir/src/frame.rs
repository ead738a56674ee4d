//! A module under construction.

use formwork_diag::Span;
use formwork_ops::Type;

use crate::model::{Module, Node, Value, ValueId};

/// The dataflow of a module while its block is applied.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Unique among the frames of a run.
    pub(crate) uid: u64,
    /// Index of the innermost loop, which paths may mention.
    pub(crate) module: Module,
    /// For each input after the explicit ones, the value of the parent frame that it stands for.
    pub(crate) captures: Vec<ValueId>,
    /// For each explicit argument, the value of the parent frame that was given for it.
    explicit: Vec<(ValueId, ValueId)>,
    /// For each value of the parent frame that was captured, its input here.
    imported: Vec<(ValueId, ValueId)>,
    /// Node lists that are open: the module's own, and one for each `once` around the place.
    open: Vec<Vec<Node>>,
}

impl Frame {
    pub(crate) fn new(uid: u64, name: &str, doc: &str, path: &str, span: Span) -> Self {
        Self {
            uid,
            module: Module {
                name: name.to_string(),
                doc: doc.to_string(),
                path: path.to_string(),
                inputs: Vec::new(),
                outputs: Vec::new(),
                values: Vec::new(),
                nodes: Vec::new(),
                span,
            },
            captures: Vec::new(),
            explicit: Vec::new(),
            imported: Vec::new(),
            open: vec![Vec::new()],
        }
    }

    pub(crate) fn value(&mut self, name: &str, ty: Type, span: Span) -> ValueId {
        self.module.values.push(Value { name: name.to_string(), ty, span });
        ValueId(self.module.values.len() - 1)
    }

    pub(crate) fn input(&mut self, name: &str, ty: Type, span: Span) -> ValueId {
        let id = self.value(name, ty, span);
        self.module.inputs.push(id);
        id
    }

    /// The input for an argument; a value that is given twice is one input.
    pub(crate) fn argument(&mut self, parent: ValueId, name: &str, ty: Type, span: Span) -> (ValueId, bool) {
        if let Some((_, id)) = self.explicit.iter().find(|(p, _)| *p == parent) {
            return (*id, false);
        }
        let id = self.input(name, ty, span);
        self.explicit.push((parent, id));
        (id, true)
    }

    /// The input that stands for a value of the parent frame.
    pub(crate) fn import(&mut self, parent: ValueId, value: &Value) -> ValueId {
        let known = self.explicit.iter().chain(&self.imported).find(|(p, _)| *p == parent);
        if let Some((_, id)) = known {
            return *id;
        }
        let id = self.input(&value.name, value.ty.clone(), value.span);
        self.captures.push(parent);
        self.imported.push((parent, id));
        id
    }

    pub(crate) fn push(&mut self, node: Node) {
        if let Some(nodes) = self.open.last_mut() {
            nodes.push(node);
        }
    }

    pub(crate) fn begin_once(&mut self) {
        self.open.push(Vec::new());
    }

    pub(crate) fn end_once(&mut self) -> Vec<Node> {
        self.open.pop().unwrap_or_default()
    }

    pub(crate) fn finish(mut self, outputs: Vec<ValueId>) -> (Module, Vec<ValueId>) {
        self.module.nodes = self.open.pop().unwrap_or_default();
        self.module.outputs = outputs;
        (self.module, self.captures)
    }
}
