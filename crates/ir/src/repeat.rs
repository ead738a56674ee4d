//! Loops over layers: a layer is built once for each distinct tuple of per-layer values, never once for each index.

use std::collections::HashMap;
use std::rc::Rc;

use formwork_diag::Diagnostic;
use formwork_ops::Poly;
use formwork_syntax::ast::{Body, Name, Repeat as Loop, Statement};

use crate::elaborate::Elaborator;
use crate::kind_names::kind_names;
use crate::model::{LayerKind, Node, NodeKind, PER_LAYER, Repeat, Table, ValueId};
use crate::scope::Scope;
use crate::types::Ty;
use crate::value::{Callable, Tensor, Value};

/// Most layers of one loop.
pub(crate) const MAX_LAYERS: i128 = 65_536;
/// Most distinct layers of one loop.
const MAX_KINDS: usize = 1024;

/// The distinct rows of per-layer values, for each layer its row, and the numbers that differ within a row.
struct Schedule {
    rows: Vec<Vec<Value>>,
    schedule: Vec<usize>,
    tables: Vec<Table>,
}

/// A text that two per-layer values share when they are equal, or both floats.
fn structure(value: &Value) -> String {
    if matches!(value, Value::Float(_)) { "float".to_string() } else { exact(value) }
}

/// A text that two values share when they are equal.
fn exact(value: &Value) -> String {
    let fields = |fields: &[(String, Value)]| {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}:{}", exact(value))).collect();
        format!("{{{}}}", fields.join(","))
    };
    match value {
        Value::Int(size) => size.constant().map_or_else(|| size.to_string(), |v| v.to_string()),
        Value::Float(float) => format!("{:?}", float.value),
        Value::Str(text) => format!("{text:?}"),
        Value::List(items) | Value::Tuple(items) => {
            format!("[{}]", items.iter().map(exact).collect::<Vec<_>>().join(","))
        }
        Value::Record(record) => fields(record),
        Value::Variant(variant) => format!("{}{}", variant.name, fields(&variant.fields)),
        Value::Callable(callable) => identity(callable),
        Value::Tensor(tensor) => format!("tensor {} {}", tensor.frame, tensor.id.0),
        Value::Object(object) => format!("object {:p}", Rc::as_ptr(object)),
        other => other.describe(),
    }
}

/// What makes two callables the same one; a lambda is only ever itself.
fn identity(callable: &Callable) -> String {
    match callable {
        Callable::Block(it) => format!("block {}", it.name.text),
        Callable::Function(it) => format!("fn {}", it.name.text),
        Callable::Record(it) => format!("record {}", it.name.text),
        Callable::Op(it) => format!("op {}", it.name),
        Callable::Builtin(name) => format!("builtin {name}"),
        Callable::Lambda(it) => format!("lambda {:p}", Rc::as_ptr(it)),
    }
}

impl Elaborator<'_> {
    pub(crate) fn repeat(&mut self, it: &Loop, scope: &Scope) {
        let Some((start, count)) = self.range(it, scope) else { return };
        let Some(Schedule { rows, schedule, tables }) = self.schedule(it, scope, start, count.constant().unwrap_or(0))
        else {
            return;
        };
        let (probes, body) = split_probes(&it.body);
        let mut carried: Vec<(Name, Tensor)> = Vec::new();
        for name in assigned(&body) {
            if let Some(Value::Tensor(tensor)) = scope.get(&name.text)
                && !carried.iter().any(|(n, _)| n.text == name.text)
            {
                carried.push((name, tensor));
            }
        }
        let Some(initial) = carried.iter().map(|(_, t)| self.local(t)).collect::<Option<Vec<ValueId>>>() else {
            return;
        };
        let probes = probes
            .iter()
            .filter_map(|(name, path)| self.loop_probe((name, path), &carried, &it.index.text, scope))
            .collect();
        let mut kinds = Vec::new();
        for (name, row) in kind_names(it, &rows).iter().zip(&rows) {
            let inner = scope.child();
            for (binding, value) in it.values.iter().zip(row) {
                inner.set(&binding.name.text, value.clone());
            }
            let Some((module, captures)) = self.layer(it, &body, &inner, &carried, name) else { return };
            let varies = |at: &usize| rows.iter().any(|other| !other[*at].equals(&row[*at]));
            let label: Vec<String> = (0..row.len())
                .filter(varies)
                .map(|at| format!("{}: {}", it.values[at].name.text, short(&row[at])))
                .collect();
            kinds.push(LayerKind { module, captures, label: label.join(", ") });
        }
        let Some(frame) = self.frame() else { return };
        let outputs: Vec<ValueId> = carried.iter().map(|(n, t)| frame.value(&n.text, t.ty.clone(), it.span)).collect();
        let node =
            Repeat { index: it.index.text.clone(), count, path: it.path.text.clone(), kinds, schedule, tables, probes };
        frame.push(Node { kind: NodeKind::Repeat(node), inputs: initial, outputs: outputs.clone(), span: it.span });
        for ((name, _), id) in carried.iter().zip(outputs) {
            let value = self.tensor(id, name.span);
            scope.set(&name.text, value);
        }
    }

    fn range(&mut self, it: &Loop, scope: &Scope) -> Option<(i128, Poly)> {
        let start = self.eval(&it.start, scope, &Ty::Int);
        let end = self.eval(&it.end, scope, &Ty::Int);
        let (Value::Int(start), Value::Int(end)) = (&start, &end) else {
            if !matches!(start, Value::Unknown) && !matches!(end, Value::Unknown) {
                self.fail(Diagnostic::new("type-mismatch", it.end.span, "the range of a loop is two integers"));
            }
            return None;
        };
        let count = end - start;
        let (Some(first), Some(layers)) = (start.constant(), count.constant()) else { return None };
        if !(0..=MAX_LAYERS).contains(&layers) {
            let error = Diagnostic::new(
                "layer-count",
                it.end.span,
                format!("a loop runs 0 to {MAX_LAYERS} times, not {layers}"),
            );
            let error = self.explain(error, &[&count]);
            self.fail(error);
            return None;
        }
        self.check_path(it).then_some((first, count))
    }

    /// Layers have weights of their own, named by the index, or say that they share them.
    fn check_path(&mut self, it: &Loop) -> bool {
        let index = format!("{{{}}}", it.index.text);
        let error = match (it.shared, it.path.text.contains(&index)) {
            (false, true) => return true,
            (true, false) if it.values.is_empty() => return true,
            (true, false) => Diagnostic::new(
                "bad-path",
                it.values[0].name.span,
                "layers that share their weights have no values of their own",
            ),
            (true, true) => {
                Diagnostic::new("bad-path", it.path.span, format!("the path of `shared` layers mentions `{index}`"))
            }
            (false, false) => {
                let what = format!("the layers' path does not mention `{index}`, so all would share their weights");
                Diagnostic::new("missing-index", it.path.span, what).help("if they do, write `shared` before the path")
            }
        };
        self.fail(error);
        false
    }

    /// Layers are alike when their per-layer values are, numbers aside: those go into tables.
    fn schedule(&mut self, it: &Loop, scope: &Scope, start: i128, count: i128) -> Option<Schedule> {
        let mut rows: Vec<Vec<Value>> = Vec::new();
        let mut numbers: Vec<Vec<f64>> = vec![Vec::new(); it.values.len()];
        let mut schedule = Vec::new();
        let mut kinds: HashMap<Vec<String>, usize> = HashMap::new();
        for i in start..start.saturating_add(count) {
            if !self.step(it.span) {
                return None;
            }
            if it.values.is_empty() {
                schedule.push(0);
                continue;
            }
            let inner = scope.child();
            inner.set(&it.index.text, Value::int(i));
            let mut row = Vec::new();
            for binding in &it.values {
                let value = self.eval(&binding.value, &inner, &Ty::Any);
                if matches!(value, Value::Unknown) {
                    return None;
                }
                inner.set(&binding.name.text, value.clone());
                row.push(value);
            }
            for (column, value) in numbers.iter_mut().zip(&row) {
                column.push(value.as_f64().unwrap_or(0.0));
            }
            let key: Vec<String> = row.iter().map(structure).collect();
            let kind = *kinds.entry(key).or_insert(rows.len());
            if kind == rows.len() {
                rows.push(row);
            }
            schedule.push(kind);
            if rows.len() > MAX_KINDS {
                let what = format!("the layers of this loop differ in more than {MAX_KINDS} ways");
                self.fail(Diagnostic::new("too-many-kinds", it.span, what));
                return None;
            }
        }
        if rows.is_empty() {
            rows.push(it.values.iter().map(|_| Value::Null).collect());
            rows.truncate(usize::from(it.values.is_empty()));
        }
        let mut tables = Vec::new();
        for (at, (binding, values)) in it.values.iter().zip(numbers).enumerate() {
            let is_float = rows.iter().all(|row| matches!(row[at], Value::Float(_)));
            if is_float && values.iter().any(|v| v.to_bits() != values[0].to_bits()) {
                let name = format!("{PER_LAYER}{}", binding.name.text);
                for row in &mut rows {
                    row[at] = Value::Float(formwork_ops::Float { value: values[0], name: Some(name.clone()) });
                }
                tables.push(Table { name: binding.name.text.clone(), values });
            }
        }
        Some(Schedule { rows, schedule, tables })
    }

    fn layer(
        &mut self,
        it: &Loop,
        body: &Body,
        scope: &Scope,
        carried: &[(Name, Tensor)],
        name: &str,
    ) -> Option<(crate::model::ModuleId, Vec<ValueId>)> {
        self.begin_frame(name, "", "", it.span);
        scope.set(&it.index.text, Value::Unknown);
        for (name, tensor) in carried {
            let frame = self.frame()?;
            let id = frame.input(&name.text, tensor.ty.clone(), tensor.span);
            let value = self.tensor(id, tensor.span);
            scope.set(&name.text, value);
        }
        self.body(body, scope, &Ty::Any);
        let mut outputs = Vec::new();
        for (name, tensor) in carried {
            match scope.get(&name.text) {
                Some(Value::Tensor(new)) => {
                    let same = new.ty.shape.len() == tensor.ty.shape.len()
                        && new.ty.shape.iter().zip(&tensor.ty.shape).all(|(a, b)| a.same(b));
                    if !same {
                        let what = format!("`{}` is {} after a layer and {} before it", name.text, new.ty, tensor.ty);
                        let error =
                            Diagnostic::new("carried-shape", new.span, what).because(tensor.span, "before the loop");
                        let dims: Vec<&Poly> = new.ty.shape.iter().chain(&tensor.ty.shape).collect();
                        let error = self.explain(error, &dims);
                        self.fail(error);
                    }
                    outputs.push(self.local(&new));
                }
                _ => outputs.push(None),
            }
        }
        let frame = self.frames.pop()?;
        let (module, captures) = frame.finish(outputs.into_iter().collect::<Option<_>>()?);
        Some((self.add_module(module), captures))
    }

    fn loop_probe(
        &mut self,
        (name, path): (&Name, &Name),
        carried: &[(Name, Tensor)],
        index: &str,
        scope: &Scope,
    ) -> Option<(usize, String)> {
        if !path.text.contains(&format!("{{{index}}}")) {
            self.fail(Diagnostic::new(
                "missing-index",
                path.span,
                format!("a probe inside a loop mentions `{{{index}}}`"),
            ));
        }
        let at = carried.iter().position(|(n, _)| n.text == name.text);
        if at.is_none() && !matches!(scope.get(&name.text), Some(Value::Unknown)) {
            let what = format!("`{}` is not carried from layer to layer", name.text);
            self.fail(Diagnostic::new("misplaced-probe", name.span, what));
        }
        Some((at?, path.text.clone()))
    }
}

/// Probes at the start of a layer, and the rest.
fn split_probes(body: &Body) -> (Vec<(Name, Name)>, Body) {
    let leading = body.statements.iter().take_while(|s| matches!(s, Statement::Probe(..))).count();
    let probes = body.statements[..leading].iter().filter_map(|s| match s {
        Statement::Probe(name, path) => Some((name.clone(), path.clone())),
        _ => None,
    });
    let rest = Body { statements: body.statements[leading..].to_vec(), result: body.result.clone(), span: body.span };
    (probes.collect(), rest)
}

/// Names that a body binds, in order.
fn assigned(body: &Body) -> Vec<Name> {
    body.statements
        .iter()
        .flat_map(|s| match s {
            Statement::Bind(targets, _) => targets.clone(),
            Statement::Repeat(inner) => assigned(&inner.body),
            Statement::Require(_) | Statement::Probe(..) => Vec::new(),
        })
        .collect()
}

fn short(value: &Value) -> String {
    match value {
        Value::Variant(v) => v.name.clone(),
        Value::Str(s) => s.to_string(),
        other => other.describe().rsplit(' ').next().unwrap_or("").to_string(),
    }
}
