//! The model IR: pure maths. A tree of modules, each with its own dataflow; loops and states are nodes.

use std::collections::BTreeMap;

use formwork_diag::Span;
use formwork_ops::{AttrValue, Facts, Grade, Kind, Op, Poly, Type};

use crate::gguf::GgufMap;
use crate::tokenizer::Tokenizer;
use crate::weights::WeightMap;

/// A module of a [`Model`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(pub usize);

/// A value of a [`Module`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub usize);

/// One entry point of a family, applied to arguments.
#[derive(Clone, Debug)]
pub struct Model {
    /// The instance's name.
    pub name: String,
    /// The family's name.
    pub family: String,
    /// The family's doc comment.
    pub doc: String,
    /// The entry point's name, e.g. `causal_lm`.
    pub task: String,
    /// What a run gives it.
    pub inputs: Vec<ModelInput>,
    /// Every module; the root is the entry point itself.
    pub modules: Vec<Module>,
    /// The entry point's module.
    pub root: ModuleId,
    /// The family's parameters with their values.
    pub arguments: Vec<Argument>,
    /// The tokenizer that it reads, where the spec names one.
    pub tokenizer: Option<Tokenizer>,
    /// How parameter names find tensors in a checkpoint.
    pub weights: WeightMap,
    /// The same for GGUF files, where the family reads them.
    pub gguf: Option<GgufMap>,
    /// Where each named size was set.
    pub origins: BTreeMap<String, Span>,
}

/// An input of an entry point.
#[derive(Clone, Debug)]
pub struct ModelInput {
    /// The spec's name.
    pub name: String,
    /// The name in files and interfaces, e.g. `input_ids`.
    pub external: &'static str,
    /// A token stream, ids that accompany one, or numbers.
    pub kind: Kind,
    /// The symbol of its length.
    pub symbol: String,
}

impl ModelInput {
    /// The external name of numbers, and of the stream that says which of their rows are there.
    pub const FEATURES: &str = "features";

    /// Whether it is a stream of ids.
    pub fn is_token_stream(&self) -> bool {
        self.kind == Kind::Tokens && self.external != Self::FEATURES
    }
}

/// A family's parameter and its value.
#[derive(Clone, Debug)]
pub struct Argument {
    /// Its name; fields of records are joined by dots.
    pub name: String,
    /// Its doc comment.
    pub doc: String,
    /// Its value.
    pub value: AttrValue,
}

/// A part of the model with parameters and dataflow of its own.
#[derive(Clone, Debug)]
pub struct Module {
    /// The block it was made from.
    pub name: String,
    /// The block's doc comment.
    pub doc: String,
    /// Its path below its parent, possibly with a loop index (`layers.{i}`).
    pub path: String,
    /// Its arguments: first those of the block, then what it captures from around.
    pub inputs: Vec<ValueId>,
    /// Its results.
    pub outputs: Vec<ValueId>,
    /// Every value of its dataflow.
    pub values: Vec<Value>,
    /// Its dataflow, in order.
    pub nodes: Vec<Node>,
    /// Where the block stands.
    pub span: Span,
}

/// A value of the dataflow.
#[derive(Clone, Debug)]
pub struct Value {
    /// The spec's name for it, or the op that made it.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Where it was made.
    pub span: Span,
}

/// A step of the dataflow.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it does.
    pub kind: NodeKind,
    /// What it reads, in the order that the kind defines.
    pub inputs: Vec<ValueId>,
    /// What it makes.
    pub outputs: Vec<ValueId>,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of steps.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// A use of an op.
    Op(OpNode),
    /// A use of a child module.
    Call(ModuleId),
    /// A loop over layers.
    Repeat(Repeat),
    /// A part that is computed once per source and kept: it does not depend on the step.
    Once(Vec<Node>),
    /// Uses of one op with the same input, computed in one go, and an activation that joins their values. A pass makes it; no spec
    /// says it.
    Together(Vec<Node>),
    /// An observation point: the value is reported under this name, with the index where there is one.
    Probe(String, Option<Poly>),
}

/// A use of an op. The node's inputs are the given operands in declaration order, then the stream.
#[derive(Clone, Debug)]
pub struct OpNode {
    /// The op.
    pub op: &'static Op,
    /// The path of its parameters below the module.
    pub path: String,
    /// For each declared operand, its place among the node's inputs.
    pub operands: Vec<Option<usize>>,
    /// The token stream that it reads, as a place among the node's inputs.
    pub stream: Option<usize>,
    /// The value of each argument that the op declares, defaults filled in.
    pub arguments: Vec<AttrValue>,
    /// What the op says about this use.
    pub facts: Facts,
    /// How near its matrix is kept to the original. A pass sets it; no spec says it.
    pub grade: Grade,
}

/// A loop over layers. The node's inputs are the carried values; its outputs are their new values.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// The index's name in paths.
    pub index: String,
    /// The number of layers, by its name.
    pub count: Poly,
    /// The layers' path with the index in braces; without it, one layer's weights serve every turn.
    pub path: String,
    /// The distinct layers.
    pub kinds: Vec<LayerKind>,
    /// For each layer its kind.
    pub schedule: Vec<usize>,
    /// Numbers that differ from layer to layer of one kind.
    pub tables: Vec<Table>,
    /// Carried values observed at the start of each layer: place among the carried and name.
    pub probes: Vec<(usize, String)>,
}

/// A number for each layer of a loop.
#[derive(Clone, Debug)]
pub struct Table {
    /// The spec's name for it.
    pub name: String,
    /// Its value in each layer.
    pub values: Vec<f64>,
}

/// Marks the name of a number that comes from a loop's [`Table`].
pub const PER_LAYER: &str = "layer:";

/// One distinct layer of a loop.
#[derive(Clone, Debug)]
pub struct LayerKind {
    /// The layer; its first inputs and its outputs are the carried values.
    pub module: ModuleId,
    /// What it captures from around, in the order of its remaining inputs.
    pub captures: Vec<ValueId>,
    /// The per-layer values that make it distinct, for people.
    pub label: String,
}

impl Repeat {
    /// Whether one layer's weights serve every turn.
    pub fn is_shared(&self) -> bool {
        !self.path.contains(&format!("{{{}}}", self.index))
    }

    /// The number of layers of a kind.
    pub fn layers_of(&self, kind: usize) -> usize {
        self.schedule.iter().filter(|k| **k == kind).count()
    }
}

impl Model {
    /// A module.
    pub fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.0]
    }

    /// The entry point's module.
    pub fn root(&self) -> &Module {
        self.module(self.root)
    }

    /// Whether a step depends on earlier steps' tokens through a cache.
    pub fn generates(&self) -> bool {
        self.has_op(|op| op.facts.state.is_some())
    }

    /// Whether several texts may stand in one row, one after the other: they are its only input, nothing is kept of them, and every
    /// op keeps them apart.
    pub fn packs(&self) -> bool {
        let mut streams = self.inputs.iter().filter(|input| input.kind != Kind::Ids);
        let is_alone = streams.next().is_some_and(ModelInput::is_token_stream) && streams.next().is_none();
        is_alone && !self.has_op(|op| op.facts.state.is_some() || !op.op.packs)
    }

    fn has_op(&self, is_meant: impl Fn(&OpNode) -> bool + Copy) -> bool {
        self.modules.iter().any(|module| any_op(&module.nodes, is_meant))
    }

    /// Drops ids beside a stream, such as kinds of segments, that this instance has no use for.
    pub(crate) fn leave_out_unread_ids(&mut self) {
        let root = &mut self.modules[self.root.0];
        let is_read =
            |id: &ValueId| root.value(*id).ty.kind != Kind::Ids || root.outputs.contains(id) || reads(&root.nodes, *id);
        let read: Vec<bool> = root.inputs.iter().map(is_read).collect();
        let (mut of_root, mut of_model) = (read.iter(), read.iter());
        root.inputs.retain(|_| of_root.next().is_none_or(|read| *read));
        self.inputs.retain(|_| of_model.next().is_none_or(|read| *read));
    }
}

/// Whether a node, or a layer of a loop, reads a value of the module.
fn reads(nodes: &[Node], id: ValueId) -> bool {
    nodes.iter().any(|node| {
        node.inputs.contains(&id)
            || match &node.kind {
                NodeKind::Repeat(it) => it.kinds.iter().any(|kind| kind.captures.contains(&id)),
                NodeKind::Once(inner) | NodeKind::Together(inner) => reads(inner, id),
                NodeKind::Op(_) | NodeKind::Call(_) | NodeKind::Probe(..) => false,
            }
    })
}

fn any_op(nodes: &[Node], is_meant: impl Fn(&OpNode) -> bool + Copy) -> bool {
    nodes.iter().any(|node| match &node.kind {
        NodeKind::Op(op) => is_meant(op),
        NodeKind::Once(inner) | NodeKind::Together(inner) => any_op(inner, is_meant),
        NodeKind::Call(_) | NodeKind::Repeat(_) | NodeKind::Probe(..) => false,
    })
}

impl Module {
    /// A value.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }
}
