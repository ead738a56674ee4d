//! The shape of the generated code: which module becomes which struct, with which fields and which cache.

use std::collections::BTreeMap;

use formwork_ir::{Model, Module, ModuleId, Node, NodeKind, PER_LAYER, Table, ValueId};
use formwork_ops::{Form, Grade, Lit, State};

use crate::names::{Unique, path_names, snake};

/// The layout of one module.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// Fields in the order of the dataflow.
    pub(crate) fields: Vec<Field>,
    /// For each node (by address in the dataflow) the field it uses.
    pub(crate) field_of: BTreeMap<NodeKey, String>,
    /// Numbers of the layer that its own forward pass uses.
    pub(crate) numbers: Vec<String>,
    /// Numbers of the layer that it or a part of it uses: parameters of `load`.
    pub(crate) all_numbers: Vec<String>,
    /// What is kept from step to step.
    pub(crate) cache: Vec<CacheField>,
    /// For each node with a state, its place in `cache`.
    pub(crate) cache_of: BTreeMap<NodeKey, usize>,
}

/// A node's position: its index, and the index of the `once` around it plus one.
pub(crate) type NodeKey = (usize, usize);

/// A field of a generated struct.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: FieldKind,
}

#[derive(Clone, Debug)]
pub(crate) enum FieldKind {
    /// A module of the runtime, loaded under a path.
    Layer { ty: &'static str, load: &'static str, args: Vec<Lit>, path: String, grade: Grade },
    /// Made from a constant.
    Helper { ty: &'static str, config: Lit },
    /// A struct of this crate.
    Module { module: ModuleId, path: String },
    /// Layers.
    Layers {
        kinds: Vec<ModuleId>,
        schedule: Vec<usize>,
        count: formwork_ops::Poly,
        path: String,
        index: String,
        tables: Vec<Table>,
    },
}

/// Something that is kept from step to step.
#[derive(Clone, Debug)]
pub(crate) struct CacheField {
    pub(crate) name: String,
    pub(crate) kind: CacheKind,
}

#[derive(Clone, Debug)]
pub(crate) enum CacheKind {
    State(State),
    Once,
    Module(ModuleId),
    Layers(Vec<ModuleId>, Vec<usize>, formwork_ops::Poly),
}

/// The layout of every module.
pub(crate) struct Layouts {
    layouts: BTreeMap<ModuleId, Layout>,
}

impl Layouts {
    pub(crate) fn of(model: &Model) -> Self {
        let mut it = Self { layouts: BTreeMap::new() };
        it.visit(model, model.root);
        it
    }

    pub(crate) fn get(&self, id: ModuleId) -> &Layout {
        &self.layouts[&id]
    }

    /// Whether a module keeps anything from step to step.
    pub(crate) fn is_stateful(&self, id: ModuleId) -> bool {
        !self.get(id).cache.is_empty()
    }

    fn visit(&mut self, model: &Model, id: ModuleId) {
        if self.layouts.contains_key(&id) {
            return;
        }
        let module = model.module(id);
        let names = FieldNames::of(model, module);
        let mut build =
            Build { layouts: self, model, module, out: Layout::default(), names, caches: Unique::default() };
        build.nodes(&module.nodes, 0);
        let out = build.out;
        self.layouts.insert(id, out);
    }
}

struct Build<'a> {
    layouts: &'a mut Layouts,
    model: &'a Model,
    module: &'a Module,
    out: Layout,
    names: FieldNames,
    caches: Unique,
}

impl Build<'_> {
    fn nodes(&mut self, nodes: &[Node], once: usize) {
        for (index, node) in nodes.iter().enumerate() {
            let key = (index, once);
            match &node.kind {
                NodeKind::Op(op) => self.op(op, key),
                NodeKind::Call(child) => self.child(*child, key),
                NodeKind::Repeat(repeat) => self.layers(repeat, key),
                NodeKind::Once(inner) => {
                    self.nodes(inner, index + 1);
                    let name = node.outputs.first().map(|v| self.value_name(*v)).unwrap_or_default();
                    self.state(key, &name, CacheKind::Once);
                }
                NodeKind::Together(inner) => self.nodes(inner, index + 1),
                NodeKind::Probe(..) => {}
            }
        }
    }

    fn value_name(&self, id: ValueId) -> String {
        snake(&self.module.value(id).name)
    }

    fn op(&mut self, op: &formwork_ir::OpNode, key: NodeKey) {
        let in_load = matches!(op.facts.form, Form::Layer { .. });
        for name in op.facts.form.literals().into_iter().flat_map(Lit::float_names) {
            if let Some(name) = name.strip_prefix(PER_LAYER) {
                add(&mut self.out.all_numbers, name);
                if !in_load {
                    add(&mut self.out.numbers, name);
                }
            }
        }
        if let Form::Layer { ty, load, args, .. } = &op.facts.form {
            let kind = FieldKind::Layer { ty, load, args: args.clone(), path: op.path.clone(), grade: op.grade };
            self.field(key, kind);
        }
        if let Some((_, ty, config)) = op.facts.form.helper() {
            self.helper(key, ty, config);
        }
        if let Some(state) = &op.facts.state {
            self.state(key, "kv", CacheKind::State(state.clone()));
        }
    }

    /// Uses of one constant share the field.
    fn helper(&mut self, key: NodeKey, ty: &'static str, config: &Lit) {
        let same = |f: &&Field| matches!(&f.kind, FieldKind::Helper { config: c, .. } if format!("{c:?}") == format!("{config:?}"));
        match self.out.fields.iter().find(same) {
            Some(found) => {
                let name = found.name.clone();
                self.out.field_of.insert(key, name);
            }
            None => self.field(key, FieldKind::Helper { ty, config: config.clone() }),
        }
    }

    fn child(&mut self, child: ModuleId, key: NodeKey) {
        self.layouts.visit(self.model, child);
        self.inherit(child, &[]);
        let path = self.model.module(child).path.clone();
        self.field(key, FieldKind::Module { module: child, path });
        if self.layouts.is_stateful(child) {
            let name = self.out.field_of[&key].clone();
            self.state(key, &name, CacheKind::Module(child));
        }
    }

    fn layers(&mut self, repeat: &formwork_ir::Repeat, key: NodeKey) {
        let kinds: Vec<ModuleId> = repeat.kinds.iter().map(|k| k.module).collect();
        for kind in &kinds {
            self.layouts.visit(self.model, *kind);
            self.inherit(*kind, &repeat.tables);
        }
        let stateful = kinds.iter().any(|k| self.layouts.is_stateful(*k));
        let (schedule, count) = (repeat.schedule.clone(), repeat.count.clone());
        let kind = match kinds.as_slice() {
            [module] if repeat.is_shared() => FieldKind::Module { module: *module, path: repeat.path.clone() },
            _ => FieldKind::Layers {
                kinds: kinds.clone(),
                schedule: schedule.clone(),
                count: count.clone(),
                path: repeat.path.clone(),
                index: repeat.index.clone(),
                tables: repeat.tables.clone(),
            },
        };
        self.field(key, kind);
        if stateful {
            let name = self.out.field_of[&key].clone();
            self.state(key, &name, CacheKind::Layers(kinds, schedule, count));
        }
    }

    /// A part's numbers come through its whole, unless the loop around the part has the table.
    fn inherit(&mut self, part: ModuleId, tables: &[Table]) {
        for name in self.layouts.get(part).all_numbers.clone() {
            if !tables.iter().any(|t| t.name == name) {
                add(&mut self.out.all_numbers, &name);
            }
        }
    }

    fn field(&mut self, key: NodeKey, kind: FieldKind) {
        let name = self.names.get(key);
        self.out.field_of.insert(key, name.clone());
        self.out.fields.push(Field { name, kind });
    }

    fn state(&mut self, key: NodeKey, name: &str, kind: CacheKind) {
        let name = self.caches.pick(&[snake(name)]);
        self.out.cache_of.insert(key, self.out.cache.len());
        self.out.cache.push(CacheField { name, kind });
    }
}

fn add(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|n| n == name) {
        names.push(name.to_string());
    }
}

/// Field names of a struct: the last component of a path; where two would be equal, both say more.
struct FieldNames {
    names: BTreeMap<NodeKey, String>,
}

impl FieldNames {
    fn of(model: &Model, module: &Module) -> Self {
        let mut candidates: Vec<(NodeKey, Vec<String>)> = Vec::new();
        collect(model, &module.nodes, 0, &mut candidates);
        let mut level = vec![0usize; candidates.len()];
        let name = |at: usize, level: &[usize]| {
            candidates[at].1.get(level[at]).or(candidates[at].1.last()).cloned().unwrap_or_default()
        };
        for _ in 0..8 {
            let current: Vec<String> = (0..candidates.len()).map(|at| name(at, &level)).collect();
            for at in 0..candidates.len() {
                let shared = current.iter().filter(|n| **n == current[at]).count() > 1;
                if shared && level[at] + 1 < candidates[at].1.len() {
                    level[at] += 1;
                }
            }
        }
        let mut unique = Unique::default();
        let names = (0..candidates.len()).map(|at| (candidates[at].0, unique.pick(&[name(at, &level)]))).collect();
        Self { names }
    }

    fn get(&self, key: NodeKey) -> String {
        self.names.get(&key).cloned().unwrap_or_default()
    }
}

fn collect(model: &Model, nodes: &[Node], once: usize, out: &mut Vec<(NodeKey, Vec<String>)>) {
    for (index, node) in nodes.iter().enumerate() {
        let names = match &node.kind {
            NodeKind::Op(op) => match &op.facts.form {
                Form::Layer { .. } if op.path.is_empty() => vec![snake(op.op.name)],
                Form::Layer { .. } => path_names(&op.path),
                form => match form.helper() {
                    Some((field, ..)) => vec![field.to_string()],
                    None => continue,
                },
            },
            NodeKind::Call(child) => path_names(&model.module(*child).path),
            NodeKind::Repeat(repeat) => {
                let mut names = path_names(&repeat.path);
                if names.first().is_none_or(|n| n.len() < 3) {
                    names.insert(0, "layers".into());
                }
                names
            }
            NodeKind::Once(inner) | NodeKind::Together(inner) => {
                collect(model, inner, index + 1, out);
                continue;
            }
            NodeKind::Probe(..) => continue,
        };
        out.push(((index, once), names));
    }
}
