//! Calls: blocks make modules, ops make nodes, functions make values.

use std::rc::Rc;

use formwork_diag::{Diagnostic, Span, did_you_mean};
use formwork_ops::Poly;
use formwork_syntax::ast::{Argument, Block, BlockParam, Expr, ExprKind, Function, Name, Type, TypeKind};

use crate::elaborate::Elaborator;
use crate::model::{Module, Node, NodeKind, ValueId};
use crate::scope::Scope;
use crate::types::Ty;
use crate::value::{Callable, Lambda, Tensor, Value};

/// What a module is called, and where.
struct Heading<'a> {
    name: &'a str,
    doc: &'a str,
    path: &'a Name,
    parameters: &'a [String],
}

/// An argument after evaluation.
pub(crate) struct Given {
    pub(crate) name: Option<Name>,
    pub(crate) value: Value,
    pub(crate) span: Span,
}

impl Elaborator<'_> {
    pub(crate) fn call_expr(
        &mut self,
        callee: &Expr,
        arguments: &[Argument],
        path: Option<&Name>,
        scope: &Scope,
        expected: &Ty,
        span: Span,
    ) -> Value {
        if let ExprKind::Name(name) = &callee.kind {
            if let Some(decl) = expected.as_enum().cloned()
                && decl.variants.iter().any(|v| v.name.text == *name)
            {
                return self.variant_call(&decl, name, arguments, scope, span);
            }
            if name == "once" && scope.get(name).is_none() {
                return self.once(arguments, scope, span);
            }
        }
        let callable = match self.callee(callee, scope) {
            Value::Callable(callable) => callable,
            Value::Unknown => {
                for argument in arguments {
                    self.eval(&argument.value, scope, &Ty::Any);
                }
                return Value::Unknown;
            }
            other => {
                let what = format!("{} cannot be called", other.describe());
                return self.fail(Diagnostic::new("not-callable", callee.span, what));
            }
        };
        let types = self.parameter_types(&callable);
        let mut given = Vec::new();
        for (at, argument) in arguments.iter().enumerate() {
            let ty = match &argument.name {
                Some(name) => types.iter().find(|(n, _)| *n == name.text),
                None => types.get(at),
            };
            let ty = ty.map_or(Ty::Any, |(_, ty)| ty.clone());
            let value = self.eval(&argument.value, scope, &ty);
            given.push(Given { name: argument.name.clone(), value, span: argument.value.span });
        }
        let path = path.map(|p| Name { text: self.template(p, scope), span: p.span });
        self.apply(&callable, given, path.as_ref(), expected, span)
    }

    /// What is called: a value never hides a block, function or op of the same name.
    fn callee(&mut self, callee: &Expr, scope: &Scope) -> Value {
        if let ExprKind::Name(name) = &callee.kind
            && !matches!(scope.get(name), Some(Value::Callable(_)))
        {
            if let Some(callable) = self.callable(name) {
                return Value::Callable(callable);
            }
            if scope.get(name).is_none() && !self.slots.contains_key(name) {
                return self.unknown_callable(name, callee.span);
            }
        }
        self.eval(callee, scope, &Ty::Any)
    }

    fn unknown_callable(&mut self, name: &str, span: Span) -> Value {
        let mut names: Vec<String> = self.own.keys().cloned().collect();
        names.extend(self.library.decl_names().map(String::from));
        names.extend(formwork_ops::ALL.iter().map(|op| op.name.to_string()));
        names.extend(crate::builtins::NAMES.iter().map(|n| (*n).to_string()));
        names.retain(|n| self.callable(n).is_some());
        self.fail(
            Diagnostic::new("unknown-op", span, format!("no block, function or op is called `{name}`"))
                .maybe_help(did_you_mean(name, names.iter().map(String::as_str))),
        )
    }

    fn variant_call(
        &mut self,
        decl: &Rc<formwork_syntax::ast::Enum>,
        name: &str,
        arguments: &[Argument],
        scope: &Scope,
        span: Span,
    ) -> Value {
        let variant = decl.variants.iter().find(|v| v.name.text == name);
        let declared: Vec<_> = decl.shared.iter().chain(variant.iter().flat_map(|v| &v.fields)).cloned().collect();
        let mut fields = Vec::new();
        for (at, argument) in arguments.iter().enumerate() {
            let field = match &argument.name {
                Some(name) => declared.iter().find(|f| f.name.text == name.text),
                None => declared.get(at),
            };
            let field_name = field.map(|f| f.name.text.clone()).or(argument.name.as_ref().map(|n| n.text.clone()));
            let ty = field.map_or(Ty::Any, |f| self.resolve(&f.ty));
            let value = self.eval(&argument.value, scope, &ty);
            fields.push((field_name.unwrap_or_default(), value));
        }
        self.variant(decl, name, fields, "", span)
    }

    /// `once(expr)`: what does not depend on the step is computed once per source and kept.
    fn once(&mut self, arguments: &[Argument], scope: &Scope, span: Span) -> Value {
        let [argument] = arguments else {
            return self.fail(Diagnostic::new("too-many-arguments", span, "`once` takes one value"));
        };
        if let Some(frame) = self.frame() {
            frame.begin_once();
        }
        let value = self.eval(&argument.value, scope, &Ty::Any);
        let Some(nodes) = self.frame().map(crate::frame::Frame::end_once) else { return value };
        let Value::Tensor(tensor) = &value else {
            return match value {
                Value::Unknown => Value::Unknown,
                other => self.fail(Diagnostic::new(
                    "type-mismatch",
                    argument.value.span,
                    format!("`once` keeps a tensor, not {}", other.describe()),
                )),
            };
        };
        let made: Vec<ValueId> = nodes.iter().flat_map(|n| n.outputs.iter().copied()).collect();
        let mut inputs: Vec<ValueId> = Vec::new();
        for id in nodes.iter().flat_map(|n| n.inputs.iter().copied()) {
            if !made.contains(&id) && !inputs.contains(&id) {
                inputs.push(id);
            }
        }
        let step = self.step_symbol();
        if let (Some(frame), Some(step)) = (self.frames.last(), step) {
            let dependent =
                inputs.iter().find(|id| frame.module.value(**id).ty.shape.iter().any(|d| d.mentions(&step)));
            if let Some(id) = dependent {
                let name = frame.module.value(*id).name.clone();
                return self.fail(
                    Diagnostic::new(
                        "once-depends-on-step",
                        argument.value.span,
                        format!("this depends on `{name}`, which changes at every step"),
                    )
                    .help("keep only what the other sequence decides"),
                );
            }
        }
        let node = Node { kind: NodeKind::Once(nodes), inputs, outputs: vec![tensor.id], span };
        if let Some(frame) = self.frame() {
            frame.push(node);
        }
        value
    }

    /// The length symbol of the stream that grows step by step: the last declared one.
    fn step_symbol(&self) -> Option<String> {
        self.inputs.iter().rev().find(|i| i.is_token_stream()).map(|i| i.symbol.clone())
    }

    fn parameter_types(&mut self, callable: &Callable) -> Vec<(String, Ty)> {
        let params: Vec<BlockParam> = match callable {
            Callable::Block(it) => it.params.clone(),
            Callable::Function(it) => it.params.clone(),
            Callable::Record(it) => {
                let fields: Vec<_> = it.fields.clone();
                return fields.iter().map(|f| (f.name.text.clone(), self.resolve(&f.ty))).collect();
            }
            Callable::Op(op) => {
                let span = Span::new(formwork_diag::FileId(0), 0, 0);
                let inputs = op.inputs.iter().filter(|i| !i.optional).map(|i| (i.name.to_string(), Ty::Tensor));
                let mut out: Vec<_> = inputs.collect();
                for attr in op.attrs {
                    out.push((attr.name.to_string(), self.resolve_attr(attr.ty, span)));
                }
                return out;
            }
            Callable::Lambda(_) | Callable::Builtin(_) => return Vec::new(),
        };
        params.iter().map(|p| (p.name.text.clone(), p.ty.as_ref().map_or(Ty::Any, |t| self.resolve(t)))).collect()
    }

    /// Calls with positional values, e.g. from an operator or a builtin.
    pub(crate) fn apply_values(&mut self, callable: &Callable, values: Vec<Value>, expected: &Ty, span: Span) -> Value {
        let given = values.into_iter().map(|value| {
            let span = if let Value::Tensor(t) = &value { t.span } else { span };
            Given { name: None, value, span }
        });
        let given = given.collect();
        self.apply(callable, given, None, expected, span)
    }

    pub(crate) fn apply(
        &mut self,
        callable: &Callable,
        given: Vec<Given>,
        path: Option<&Name>,
        expected: &Ty,
        span: Span,
    ) -> Value {
        match callable {
            Callable::Op(op) => self.op(op, given, path, span),
            Callable::Block(block) => self.block(block, given, path, span),
            Callable::Lambda(lambda) => self.lambda(lambda, given, path, expected, span),
            Callable::Function(function) => self.function(function, given, expected, span),
            Callable::Record(record) => {
                let fields = record.fields.iter().map(|f| &f.name.text);
                let fields: Vec<String> = fields.cloned().collect();
                let given = given.into_iter().enumerate().map(|(at, g)| {
                    let name = g.name.map(|n| n.text).or_else(|| fields.get(at).cloned());
                    (name.unwrap_or_default(), g.value)
                });
                let given = given.collect();
                self.record(record, given, "", span)
            }
            Callable::Builtin(name) => {
                let values = given.into_iter().map(|g| g.value).collect();
                self.builtin(name, values, expected, span)
            }
        }
    }

    /// Binds arguments to parameters in a fresh scope below `outer`.
    fn bind_parameters(
        &mut self,
        what: &str,
        params: &[BlockParam],
        given: Vec<Given>,
        outer: &Scope,
        span: Span,
    ) -> Option<Scope> {
        let scope = outer.child();
        let mut slots: Vec<Option<Given>> = params.iter().map(|_| None).collect();
        for (at, argument) in given.into_iter().enumerate() {
            let slot = match &argument.name {
                Some(name) => params.iter().position(|p| p.name.text == name.text),
                None => (at < params.len()).then_some(at),
            };
            let Some(slot) = slot else {
                let names: Vec<&str> = params.iter().map(|p| p.name.text.as_str()).collect();
                let error = unexpected(what, &names, &argument);
                self.fail(error);
                return None;
            };
            slots[slot] = Some(argument);
        }
        for (param, slot) in params.iter().zip(slots) {
            let value = match (slot, &param.default) {
                (Some(given), _) => {
                    let value = given.value;
                    match &param.ty {
                        Some(ty) => self.fit(value, ty, &param.name.text, &scope, given.span),
                        None => value,
                    }
                }
                (None, Some(default)) => {
                    let ty = param.ty.as_ref().map_or(Ty::Any, |t| self.resolve(t));
                    let value = self.eval(default, &scope, &ty);
                    self.coerce(value, &ty, &param.name.text, default.span)
                }
                (None, None) => {
                    self.fail(
                        Diagnostic::new(
                            "missing-argument",
                            span,
                            format!("`{what}` needs its argument `{}`", param.name.text),
                        )
                        .because(param.name.span, "declared here without a default"),
                    );
                    return None;
                }
            };
            scope.set(&param.name.text, value);
        }
        Some(scope)
    }

    /// Fits an argument to a declared type; a tensor's dimensions are compared, and names that mean nothing yet are bound to them.
    fn fit(&mut self, value: Value, ty: &Type, name: &str, scope: &Scope, span: Span) -> Value {
        let (TypeKind::Tensor(dims) | TypeKind::Ids(dims)) = &ty.kind else {
            let ty = self.resolve(ty);
            return self.coerce(value, &ty, name, span);
        };
        let Value::Tensor(tensor) = &value else {
            let resolved = self.resolve(ty);
            return self.coerce(value, &resolved, name, span);
        };
        let is_ids = matches!(ty.kind, TypeKind::Ids(_));
        if is_ids != (tensor.ty.kind != formwork_ops::Kind::F32) {
            let what =
                format!("{} must be {}, not {}", quote(name), if is_ids { "ids" } else { "floats" }, value.describe());
            return self.fail(Diagnostic::new("type-mismatch", span, what).because(ty.span, "declared here"));
        }
        if self.check_dims(&tensor.ty.shape, dims, name, scope, span, ty.span) { value } else { Value::Unknown }
    }

    fn check_dims(
        &mut self,
        actual: &[Poly],
        declared: &[Expr],
        name: &str,
        scope: &Scope,
        span: Span,
        declared_at: Span,
    ) -> bool {
        if actual.len() != declared.len() {
            let what = format!("{} has {} axes, {} are declared", quote(name), actual.len(), declared.len());
            self.fail(Diagnostic::new("rank-mismatch", span, what).because(declared_at, "declared here"));
            return false;
        }
        let mut ok = true;
        for (dim, expr) in actual.iter().zip(declared) {
            if let ExprKind::Name(free) = &expr.kind
                && scope.get(free).is_none()
                && !self.slots.contains_key(free)
                && self.callable(free).is_none()
            {
                scope.set(free, Value::Int(dim.clone()));
                continue;
            }
            match self.eval(expr, scope, &Ty::Int) {
                Value::Int(expected) if !expected.same(dim) => {
                    let error = Diagnostic::new(
                        "shape-mismatch",
                        span,
                        format!("{} is {dim} wide where {expected} is declared", quote(name)),
                    )
                    .label(show(dim))
                    .because(expr.span, show(&expected));
                    let error = self.explain(error, &[dim, &expected]);
                    self.fail(error);
                    ok = false;
                }
                Value::Unknown => ok = false,
                _ => {}
            }
        }
        ok
    }

    fn function(&mut self, function: &Rc<Function>, given: Vec<Given>, expected: &Ty, span: Span) -> Value {
        if given.iter().any(|g| matches!(g.value, Value::Unknown)) || !self.enter(&function.name.text, span) {
            return Value::Unknown;
        }
        let config = self.config.take();
        let scope = self.bind_parameters(&function.name.text, &function.params, given, &Scope::root(), span);
        let value = scope.map_or(Value::Unknown, |scope| self.body(&function.body, &scope, expected));
        self.config = config;
        self.leave();
        value
    }

    fn lambda(
        &mut self,
        lambda: &Rc<Lambda>,
        given: Vec<Given>,
        path: Option<&Name>,
        expected: &Ty,
        span: Span,
    ) -> Value {
        let params: Vec<BlockParam> =
            lambda.params.iter().map(|n| BlockParam { name: n.clone(), ty: None, default: None }).collect();
        if !self.enter("a lambda", span) {
            return Value::Unknown;
        }
        let value = match path {
            None => self
                .bind_parameters("this lambda", &params, given, &lambda.scope, span)
                .map_or(Value::Unknown, |scope| self.body(&lambda.body, &scope, expected)),
            Some(path) => {
                let name = path.text.rsplit('.').next().unwrap_or("").to_string();
                let names: Vec<String> = lambda.params.iter().map(|p| p.text.clone()).collect();
                self.module(Heading { name: &name, doc: "", path, parameters: &names }, given, span, |it, given| {
                    let scope = it.bind_parameters("this lambda", &params, given, &lambda.scope, span)?;
                    Some(it.body(&lambda.body, &scope, expected))
                })
            }
        };
        self.leave();
        value
    }

    fn block(&mut self, block: &Rc<Block>, given: Vec<Given>, path: Option<&Name>, span: Span) -> Value {
        if !self.enter(&block.name.text, span) {
            return Value::Unknown;
        }
        let run = |it: &mut Self, given: Vec<Given>| {
            let scope = it.bind_parameters(&block.name.text, &block.params, given, &Scope::root(), span)?;
            let value = it.body(&block.body, &scope, &Ty::Any);
            Some(it.check_returns(block, value, &scope, span))
        };
        let value = match path {
            None => run(self, given).unwrap_or(Value::Unknown),
            Some(path) => {
                let names: Vec<String> = block.params.iter().map(|p| p.name.text.clone()).collect();
                self.module(
                    Heading { name: &block.name.text, doc: &block.doc, path, parameters: &names },
                    given,
                    span,
                    run,
                )
            }
        };
        self.leave();
        value
    }

    pub(crate) fn check_returns(&mut self, block: &Block, value: Value, scope: &Scope, _span: Span) -> Value {
        let place = block.body.result.as_ref().map_or(block.name.span, |r| r.span);
        match (block.returns.as_slice(), value) {
            ([], value) | (_, value @ Value::Unknown) => value,
            ([ty], value) => {
                let ty = ty.clone();
                self.fit(value, &ty, &format!("the result of `{}`", block.name.text), scope, place)
            }
            (types, Value::Tuple(items)) if types.len() == items.len() => {
                let types = types.to_vec();
                let items =
                    items.iter().zip(&types).map(|(v, ty)| self.fit(v.clone(), ty, "a result", scope, place)).collect();
                Value::Tuple(Rc::new(items))
            }
            (types, value) => {
                let what =
                    format!("`{}` declares {} results, it gives {}", block.name.text, types.len(), value.describe());
                self.fail(Diagnostic::new("result-count", place, what))
            }
        }
    }

    /// Runs `body` in a frame of its own and makes a module of it; a module that is one unnamed op is that op.
    fn module(
        &mut self,
        heading: Heading<'_>,
        given: Vec<Given>,
        span: Span,
        body: impl FnOnce(&mut Self, Vec<Given>) -> Option<Value>,
    ) -> Value {
        let Heading { name, doc, path, parameters } = heading;
        if self.frames.is_empty() {
            return self.fail(Diagnostic::new("misplaced-path", path.span, "there is no model around this call"));
        }
        let mut explicit = Vec::new();
        let mut inner = Vec::new();
        let locals: Vec<Option<ValueId>> =
            given.iter().map(|g| if let Value::Tensor(t) = &g.value { self.local(t) } else { None }).collect();
        self.begin_frame(name, doc, &path.text, span);
        for (at, (mut argument, local)) in given.into_iter().zip(locals).enumerate() {
            if let (Value::Tensor(tensor), Some(local)) = (&argument.value, local) {
                let parameter =
                    argument.name.as_ref().map(|n| n.text.as_str()).or(parameters.get(at).map(String::as_str));
                let (ty, place) = (tensor.ty.clone(), tensor.span);
                if let Some(frame) = self.frame() {
                    let (id, fresh) = frame.argument(local, parameter.unwrap_or("x"), ty.clone(), place);
                    argument.value = Value::Tensor(Tensor { frame: frame.uid, id, ty, span: place });
                    if fresh {
                        explicit.push(local);
                    }
                }
            }
            inner.push(argument);
        }
        let value = body(self, inner).unwrap_or(Value::Unknown);
        let outputs = self.output_ids(&value);
        let Some(frame) = self.frames.pop() else { return Value::Unknown };
        let Some(outputs) = outputs else { return Value::Unknown };
        let (module, captures) = frame.finish(outputs);
        let inputs: Vec<ValueId> = explicit.into_iter().chain(captures).collect();
        self.place_module(module, inputs, &value, span)
    }

    /// Ids of a result's tensors in the current frame; a captured tensor becomes an input.
    pub(crate) fn output_ids(&mut self, value: &Value) -> Option<Vec<ValueId>> {
        match value {
            Value::Tensor(t) => Some(vec![self.local(t)?]),
            Value::Tuple(items) => {
                items.iter().map(|v| if let Value::Tensor(t) = v { self.local(t) } else { None }).collect()
            }
            _ => None,
        }
    }

    fn place_module(&mut self, module: Module, inputs: Vec<ValueId>, value: &Value, span: Span) -> Value {
        let types: Vec<_> = module.outputs.iter().map(|id| module.value(*id).clone()).collect();
        let collapsed = single_op(&module);
        let Some(frame) = self.frames.last_mut() else { return Value::Unknown };
        let single = types.len() == 1 && collapsed.is_none();
        let name = |v: &crate::model::Value| if single { module.name.clone() } else { v.name.clone() };
        let outputs: Vec<ValueId> = types.iter().map(|v| frame.value(&name(v), v.ty.clone(), span)).collect();
        if let Some(mut node) = collapsed {
            node.inputs = node.inputs.iter().map(|id| renamed(&module, &inputs, *id)).collect();
            if let NodeKind::Op(op) = &mut node.kind {
                op.path.clone_from(&module.path);
            }
            node.outputs.clone_from(&outputs);
            frame.push(node);
        } else {
            let id = self.add_module(module);
            let node = Node { kind: NodeKind::Call(id), inputs, outputs: outputs.clone(), span };
            if let Some(frame) = self.frame() {
                frame.push(node);
            }
        }
        let values: Vec<Value> = outputs.iter().map(|id| self.tensor(*id, span)).collect();
        match value {
            Value::Tuple(_) => Value::Tuple(Rc::new(values)),
            _ => values.into_iter().next().unwrap_or(Value::Unknown),
        }
    }
}

/// An argument that `what` has no place for.
pub(crate) fn unexpected(what: &str, names: &[&str], argument: &Given) -> Diagnostic {
    let all = if names.is_empty() { "nothing".to_string() } else { quoted(names) };
    match &argument.name {
        Some(name) => {
            Diagnostic::new("unknown-argument", name.span, format!("`{what}` has no argument `{}`", name.text))
                .label(format!("it takes {all}"))
                .maybe_help(did_you_mean(&name.text, names.iter().copied()))
        }
        None => {
            let noun = if names.len() == 1 { "argument" } else { "arguments" };
            Diagnostic::new(
                "too-many-arguments",
                argument.span,
                format!("`{what}` takes {} {noun}, this is one more", names.len()),
            )
            .label(format!("it takes {all}"))
        }
    }
}

/// A name in backticks; a phrase as it is.
fn quote(name: &str) -> String {
    if name.contains(' ') { name.to_string() } else { format!("`{name}`") }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

/// The only node of a module, if it is an op under the module's own path.
fn single_op(module: &Module) -> Option<Node> {
    let [node] = module.nodes.as_slice() else { return None };
    let NodeKind::Op(op) = &node.kind else { return None };
    (op.path.is_empty() && !op.facts.params.is_empty() && node.outputs == module.outputs).then(|| node.clone())
}

fn renamed(module: &Module, inputs: &[ValueId], id: ValueId) -> ValueId {
    let at = module.inputs.iter().position(|i| *i == id);
    at.and_then(|at| inputs.get(at).copied()).unwrap_or(id)
}

/// A dimension in symbols and numbers: `n_heads·d_head = 3072`.
pub(crate) fn show(dim: &Poly) -> String {
    match dim.constant() {
        Some(value) if dim.atoms().next().is_some() => format!("{dim} = {value}"),
        _ => dim.to_string(),
    }
}
