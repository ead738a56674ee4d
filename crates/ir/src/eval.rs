//! Expressions: the static stage computes them, the tensor stage builds dataflow from them.

use std::rc::Rc;

use formwork_diag::{Diagnostic, Span, did_you_mean};
use formwork_syntax::ast::{Arm, BinaryOp, Body, Expr, ExprKind, Name, PatternKind, Require, Statement};

use crate::elaborate::Elaborator;
use crate::model::{Node, NodeKind};
use crate::numbers;
use crate::scope::Scope;
use crate::types::Ty;
use crate::value::{Callable, Lambda, Object, Value};

impl Elaborator<'_> {
    /// The value of an expression; `expected` lets variants be named plainly and record literals know their fields.
    pub(crate) fn eval(&mut self, expr: &Expr, scope: &Scope, expected: &Ty) -> Value {
        if !self.step(expr.span) {
            return Value::Unknown;
        }
        match &expr.kind {
            ExprKind::Int(value) => Value::int(*value),
            ExprKind::Float(value) => Value::float(*value),
            ExprKind::Str(text) => Value::Str(text.as_str().into()),
            ExprKind::Bool(flag) => Value::Bool(*flag),
            ExprKind::Null => Value::Null,
            ExprKind::Name(name) => self.name(name, expr.span, scope, expected),
            ExprKind::List(items) => {
                let item = expected.item();
                Value::List(Rc::new(items.iter().map(|e| self.eval(e, scope, &item)).collect()))
            }
            ExprKind::Tuple(items) => {
                Value::Tuple(Rc::new(items.iter().map(|e| self.eval(e, scope, &Ty::Any)).collect()))
            }
            ExprKind::Record(fields) => self.record_literal(fields, scope, expected),
            ExprKind::Negate(inner) => match self.eval(inner, scope, expected) {
                value @ (Value::Tensor(_) | Value::Int(_) | Value::Ratio(..) | Value::Float(_)) => {
                    self.binary_values(BinaryOp::Multiply, Value::int(-1), value, expr.span)
                }
                other => self.operand_error("-", &other, inner.span),
            },
            ExprKind::Not(inner) => match self.eval(inner, scope, &Ty::Bool) {
                Value::Bool(flag) => Value::Bool(!flag),
                other => self.operand_error("!", &other, inner.span),
            },
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, scope, expr.span),
            ExprKind::Call(callee, arguments) => self.call_expr(callee, arguments, None, scope, expected, expr.span),
            ExprKind::Scope(inner, path) => match &inner.kind {
                ExprKind::Call(callee, arguments) => {
                    self.call_expr(callee, arguments, Some(path), scope, expected, expr.span)
                }
                _ => self.fail(Diagnostic::new("misplaced-path", path.span, "only a call can be given a path")),
            },
            ExprKind::Field(inner, field) => {
                let value = self.eval(inner, scope, &Ty::Any);
                self.field(&value, field)
            }
            ExprKind::Index(inner, index) => self.index(inner, index, scope),
            ExprKind::If(condition, then, otherwise) => match self.eval(condition, scope, &Ty::Bool) {
                Value::Bool(true) => self.body(then, &scope.child(), expected),
                Value::Bool(false) => match otherwise {
                    Some(body) => self.body(body, &scope.child(), expected),
                    None => Value::Null,
                },
                other => self.operand_error("if", &other, condition.span),
            },
            ExprKind::Match(scrutinee, arms) => self.match_expr(scrutinee, arms, scope, expected, expr.span),
            ExprKind::Lambda(params, body) => Value::Callable(Callable::Lambda(Rc::new(Lambda {
                params: params.clone(),
                body: (**body).clone(),
                scope: scope.clone(),
            }))),
        }
    }

    pub(crate) fn operand_error(&mut self, what: &str, value: &Value, span: Span) -> Value {
        match value {
            Value::Unknown => Value::Unknown,
            other => self.fail(Diagnostic::new(
                "bad-operator",
                span,
                format!("`{what}` does not apply to {}", other.describe()),
            )),
        }
    }

    fn name(&mut self, name: &str, span: Span, scope: &Scope, expected: &Ty) -> Value {
        if let Some(decl) = expected.as_enum().cloned() {
            let local = scope.get(name);
            let is_variant = decl.variants.iter().any(|v| v.name.text == name);
            if is_variant && !matches!(local, Some(Value::Variant(_))) {
                return self.variant(&decl, name, Vec::new(), "", span);
            }
            let unbound = local.is_none() && !self.slots.contains_key(name) && self.callable(name).is_none();
            if unbound && self.config.is_none() {
                return self.unknown_variant(&decl, name, span);
            }
        }
        self.lookup(name, span, scope)
    }

    fn record_literal(&mut self, fields: &[(Name, Expr)], scope: &Scope, expected: &Ty) -> Value {
        let decl = expected.as_record().cloned();
        let mut out = Vec::new();
        for (name, value) in fields {
            let known = decl.as_ref().and_then(|d| d.fields.iter().find(|f| f.name.text == name.text)).cloned();
            let ty = match (&decl, known) {
                (Some(_), Some(field)) => self.resolve(&field.ty),
                (Some(decl), None) => {
                    let names: Vec<String> = decl.fields.iter().map(|f| f.name.text.clone()).collect();
                    let what = format!("`{}` has no field `{}`", decl.name.text, name.text);
                    self.fail(
                        Diagnostic::new("unknown-field", name.span, what)
                            .maybe_help(did_you_mean(&name.text, names.iter().map(String::as_str))),
                    );
                    return Value::Unknown;
                }
                (None, _) => Ty::Any,
            };
            let value = self.eval(value, scope, &ty);
            out.push((name.text.clone(), value));
        }
        Value::Record(Rc::new(out))
    }

    fn binary(&mut self, op: BinaryOp, a: &Expr, b: &Expr, scope: &Scope, span: Span) -> Value {
        let left = self.eval(a, scope, &Ty::Any);
        match (op, &left) {
            (BinaryOp::Coalesce, Value::Null) => return self.eval(b, scope, &Ty::Any),
            (BinaryOp::Coalesce, _) => return left,
            (BinaryOp::And, Value::Bool(false)) | (BinaryOp::Or, Value::Bool(true)) => return left,
            (BinaryOp::And | BinaryOp::Or, Value::Bool(_)) => return self.eval(b, scope, &Ty::Bool),
            (_, Value::Unknown) => {
                // A bare name may be a variant of what is not known.
                if !matches!(b.kind, ExprKind::Name(_)) {
                    self.eval(b, scope, &Ty::Any);
                }
                return Value::Unknown;
            }
            _ => {}
        }
        let expected = match &left {
            Value::Variant(v) => Ty::Enum(v.decl.clone()),
            _ => Ty::Any,
        };
        let right = self.eval(b, scope, &expected);
        self.binary_values(op, left, right, span)
    }

    pub(crate) fn binary_values(&mut self, op: BinaryOp, a: Value, b: Value, span: Span) -> Value {
        if matches!(a, Value::Unknown) || matches!(b, Value::Unknown) {
            return Value::Unknown;
        }
        let by_tensor = op == BinaryOp::Multiply && (matches!(a, Value::Tensor(_)) || matches!(b, Value::Tensor(_)));
        if (a.is_per_layer() || b.is_per_layer()) && !by_tensor {
            return self.fail(per_layer(span));
        }
        if matches!(a, Value::Tensor(_)) || matches!(b, Value::Tensor(_)) {
            return self.tensor_arithmetic(op, a, b, span);
        }
        let result = match op {
            BinaryOp::Equal => return Value::Bool(equal(&a, &b)),
            BinaryOp::NotEqual => return Value::Bool(!equal(&a, &b)),
            BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => {
                numbers::compare(op, &a, &b).map(Value::Bool)
            }
            BinaryOp::Add if matches!((&a, &b), (Value::List(_), Value::List(_))) => {
                let (Value::List(x), Value::List(y)) = (&a, &b) else { return Value::Unknown };
                if !self.steps(x.len() + y.len(), span) {
                    return Value::Unknown;
                }
                return Value::List(Rc::new(x.iter().chain(y.iter()).cloned().collect()));
            }
            _ => numbers::arithmetic(op, &a, &b),
        };
        result.unwrap_or_else(|message| self.fail(Diagnostic::new(message.code, span, message.text)))
    }

    fn tensor_arithmetic(&mut self, op: BinaryOp, a: Value, b: Value, span: Span) -> Value {
        let call = |name: &str| formwork_ops::find(name).map(Callable::Op);
        let (callable, operands) = match (op, &a, &b) {
            (BinaryOp::Add | BinaryOp::Multiply, Value::Tensor(x), Value::Tensor(y)) => {
                let name = if op == BinaryOp::Add { "add" } else { "mul" };
                let swap = y.ty.shape.len() > x.ty.shape.len();
                (call(name), if swap { vec![b, a] } else { vec![a, b] })
            }
            (BinaryOp::Subtract, Value::Tensor(_), Value::Tensor(_)) => (call("sub"), vec![a, b]),
            (BinaryOp::Multiply, Value::Tensor(_), _) => (call("scale"), vec![a, b]),
            (BinaryOp::Multiply, _, Value::Tensor(_)) => (call("scale"), vec![b, a]),
            (BinaryOp::Divide, Value::Tensor(_), _) => match b.as_f64() {
                Some(0.0) => {
                    return self.fail(Diagnostic::new("division-by-zero", span, "a tensor is divided by zero"));
                }
                Some(divisor) => (call("scale"), vec![a, Value::float(1.0 / divisor)]),
                None => (None, vec![a, b]),
            },
            _ => (None, vec![a, b]),
        };
        match callable {
            Some(callable) => self.apply_values(&callable, operands, &Ty::Any, span),
            None => {
                let sides: Vec<String> = operands.iter().map(Value::describe).collect();
                let what = format!("`{}` does not apply to {}", op.symbol(), sides.join(" and "));
                self.fail(Diagnostic::new("bad-operator", span, what))
            }
        }
    }

    fn field(&mut self, value: &Value, field: &Name) -> Value {
        let fields = match value {
            Value::Unknown => return Value::Unknown,
            Value::Record(fields) => &**fields,
            Value::Variant(variant) => &variant.fields,
            Value::Object(object) => return self.object_field(object, field),
            other => {
                let what = format!("{} has no fields", other.describe());
                return self.fail(Diagnostic::new("unknown-field", field.span, what));
            }
        };
        if let Some((_, value)) = fields.iter().find(|(n, _)| *n == field.text) {
            return value.clone();
        }
        let names: Vec<&str> = fields.iter().map(|(n, _)| n.as_str()).collect();
        let what = format!("{} has no field `{}`", value.describe(), field.text);
        let help = did_you_mean(&field.text, names);
        self.fail(Diagnostic::new("unknown-field", field.span, what).maybe_help(help))
    }

    /// A key of a config's object; an absent key is null.
    fn object_field(&mut self, object: &Object, field: &Name) -> Value {
        let path = format!("{}.{}", object.path, field.text);
        object.read.borrow_mut().push(path.clone());
        match object.data.get(&field.text) {
            Some(data) => crate::hf::value_of(data, &path, &object.read),
            None => Value::Null,
        }
    }

    fn index(&mut self, inner: &Expr, index: &Expr, scope: &Scope) -> Value {
        let value = self.eval(inner, scope, &Ty::Any);
        let at = self.eval(index, scope, &Ty::Int);
        let (Value::List(items), Value::Int(position)) = (&value, &at) else {
            if matches!(value, Value::Unknown) || matches!(at, Value::Unknown) {
                return Value::Unknown;
            }
            return self.fail(Diagnostic::new(
                "type-mismatch",
                inner.span,
                format!("{} cannot be indexed", value.describe()),
            ));
        };
        let position = position.constant().and_then(|p| usize::try_from(p).ok());
        match position.and_then(|p| items.get(p)) {
            Some(item) => item.clone(),
            None => {
                let what = format!(
                    "index {} is outside a list of {}",
                    at.describe().trim_start_matches("the integer "),
                    items.len()
                );
                self.fail(Diagnostic::new("index-range", index.span, what))
            }
        }
    }

    fn match_expr(&mut self, scrutinee: &Expr, arms: &[Arm], scope: &Scope, expected: &Ty, span: Span) -> Value {
        let value = self.eval(scrutinee, scope, &Ty::Any);
        if matches!(value, Value::Unknown) {
            return Value::Unknown;
        }
        self.check_patterns(&value, arms);
        for arm in arms {
            for pattern in &arm.patterns {
                let inner = scope.child();
                let matched = match &pattern.kind {
                    PatternKind::Wildcard => true,
                    PatternKind::Literal(literal) => {
                        let literal = self.eval(literal, scope, &Ty::Any);
                        equal(&value, &literal)
                    }
                    PatternKind::Variant(name, binds) => match &value {
                        Value::Variant(variant) if variant.name == *name => {
                            for bind in binds {
                                let bound = self.field(&value, bind);
                                inner.set(&bind.text, bound);
                            }
                            true
                        }
                        Value::Str(text) => **text == **name,
                        _ => false,
                    },
                };
                if matched {
                    return self.body(&arm.body, &inner, expected);
                }
            }
        }
        self.fail(
            Diagnostic::new("no-match", span, format!("no arm accepts {}", value.describe()))
                .because(scrutinee.span, "this value"),
        )
    }

    /// A pattern that names no variant of the enum would never match: that is a mistake, not a miss.
    fn check_patterns(&mut self, value: &Value, arms: &[Arm]) {
        let Value::Variant(variant) = value else { return };
        for pattern in arms.iter().flat_map(|a| &a.patterns) {
            if let PatternKind::Variant(name, _) = &pattern.kind
                && !variant.decl.variants.iter().any(|v| v.name.text == *name)
            {
                self.unknown_variant(&variant.decl.clone(), name, pattern.span);
            }
        }
    }

    /// Statements in order, then the result. Names are bound in `scope`.
    pub(crate) fn body(&mut self, body: &Body, scope: &Scope, expected: &Ty) -> Value {
        for statement in &body.statements {
            match statement {
                Statement::Bind(targets, value) => self.bind(targets, value, scope),
                Statement::Repeat(repeat) => self.repeat(repeat, scope),
                Statement::Require(require) => self.require(require, scope),
                Statement::Probe(name, path) => self.probe(name, path, scope),
            }
        }
        match &body.result {
            Some(expr) => self.eval(expr, scope, expected),
            None => Value::Null,
        }
    }

    fn bind(&mut self, targets: &[Name], value: &Expr, scope: &Scope) {
        let value = self.eval(value, scope, &Ty::Any);
        if let [target] = targets {
            self.name_value(&value, &target.text);
            scope.set(&target.text, value);
            return;
        }
        let items: Vec<Value> = match &value {
            Value::Tuple(items) | Value::List(items) => items.to_vec(),
            _ => Vec::new(),
        };
        if items.len() != targets.len() && !matches!(value, Value::Unknown) {
            let span = targets.first().map_or(formwork_diag::Span::new(formwork_diag::FileId(0), 0, 0), |t| t.span);
            let what = format!("{} names are bound to {}", targets.len(), value.describe());
            self.fail(Diagnostic::new("result-count", span, what));
        }
        for (at, target) in targets.iter().enumerate() {
            let item = items.get(at).cloned().unwrap_or(Value::Unknown);
            self.name_value(&item, &target.text);
            scope.set(&target.text, item);
        }
    }

    /// Gives a fresh value of the current frame the name it is bound to.
    fn name_value(&mut self, value: &Value, name: &str) {
        if let (Value::Tensor(tensor), Some(frame)) = (value, self.frames.last_mut()) {
            let inputs = &frame.module.inputs;
            if tensor.frame == frame.uid && !inputs.contains(&tensor.id) {
                frame.module.values[tensor.id.0].name = name.to_string();
            }
        }
    }

    pub(crate) fn require(&mut self, require: &Require, scope: &Scope) {
        match self.eval(&require.condition, scope, &Ty::Bool) {
            Value::Bool(true) | Value::Unknown => {}
            Value::Bool(false) => self.unmet(require, scope),
            other => {
                self.operand_error("require", &other, require.condition.span);
            }
        }
    }

    fn probe(&mut self, name: &Name, path: &Name, scope: &Scope) {
        let value = self.lookup(&name.text, name.span, scope);
        let Value::Tensor(tensor) = value else {
            self.operand_error("probe", &value, name.span);
            return;
        };
        let (path, index) = self.indexed(path, scope);
        if let Some(id) = self.local(&tensor) {
            let node =
                Node { kind: NodeKind::Probe(path, index), inputs: vec![id], outputs: Vec::new(), span: name.span };
            if let Some(frame) = self.frame() {
                frame.push(node);
            }
        }
    }

    /// A probe's name; a trailing `.{n}` is its index.
    fn indexed(&mut self, path: &Name, scope: &Scope) -> (String, Option<formwork_ops::Poly>) {
        let last = path.text.rsplit_once(".{").and_then(|(stem, index)| Some((stem, index.strip_suffix('}')?)));
        if let Some((stem, index)) = last
            && let Value::Int(index) = self.lookup(index, path.span, scope)
        {
            return (stem.to_string(), Some(index));
        }
        (self.template(path, scope), None)
    }

    /// A path with `{name}` replaced by static values.
    pub(crate) fn template(&mut self, path: &Name, scope: &Scope) -> String {
        let mut out = String::new();
        let mut rest = path.text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let Some((name, tail)) = after.split_once('}') else {
                self.fail(Diagnostic::new("bad-path", path.span, format!("`{{` is never closed in \"{}\"", path.text)));
                return out;
            };
            match self.lookup(name, path.span, scope) {
                Value::Int(p) => out.push_str(&p.constant().unwrap_or(0).to_string()),
                Value::Str(text) => out.push_str(&text),
                Value::Unknown => {}
                other => {
                    self.fail(Diagnostic::new("bad-path", path.span, format!("`{{{name}}}` is {}", other.describe())));
                }
            }
            rest = tail;
        }
        out.push_str(rest);
        out
    }
}

/// A number that differs from layer to layer is a table in generated code; it is computed before the loop's body.
pub(crate) fn per_layer(span: Span) -> Diagnostic {
    Diagnostic::new(
        "per-layer-number",
        span,
        "this number differs from layer to layer, so the body cannot compute with it",
    )
    .help("compute it in the loop's head: `repeat i in 0..n, value = .. @ ..`")
}

/// Equality as specs mean it: a variant equals its own word.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Variant(v), Value::Str(word)) | (Value::Str(word), Value::Variant(v)) => *v.name == **word,
        (Value::Object(_), _) | (_, Value::Object(_)) => false,
        _ => a.equals(b),
    }
}
