//! Why a requirement fails or a size is not whole: the values that decide it, where they were set, and what would do.

use formwork_diag::{Diagnostic, Span};
use formwork_ops::{Atom, Poly};
use formwork_syntax::ast::{BinaryOp, Expr, ExprKind, Require};

use crate::call::show;
use crate::elaborate::{Elaborator, Slot};
use crate::scope::Scope;
use crate::types::Ty;
use crate::value::Value;

/// A named value that decides a condition, and where it was set.
struct Cause {
    name: String,
    span: Span,
    value: String,
}

impl Elaborator<'_> {
    /// Reports a requirement that does not hold, at the user's value where one decides it.
    pub(crate) fn unmet(&mut self, require: &Require, scope: &Scope) {
        let condition = &require.condition;
        let causes = self.causes(condition);
        let own = causes.iter().rposition(|c| c.span.file != condition.span.file);
        let (place, label) = match own.map(|at| &causes[at]) {
            Some(cause) => (cause.span, format!("`{}` = {}", cause.name, cause.value)),
            None => (condition.span, "this does not hold".to_string()),
        };
        let message = lower_first(&require.message.text);
        let mut error = match self.remainder(condition, scope) {
            Some((a, b)) => {
                Diagnostic::new("not-divisible", place, format!("{} is not a multiple of {}", show(&a), show(&b)))
                    .note(message)
                    .maybe_help(divisors(&a))
            }
            None => Diagnostic::new("requirement", place, format!("unmet requirement: {message}")),
        };
        error = error.label(label);
        for (at, cause) in causes.iter().enumerate() {
            if Some(at) != own {
                error = error.because(cause.span, format!("`{}` = {}", cause.name, cause.value));
            }
        }
        if own.is_some() {
            error = error.because(condition.span, "required here");
        }
        self.fail(error);
    }

    /// The two sides of `a % b == 0`.
    fn remainder(&mut self, condition: &Expr, scope: &Scope) -> Option<(Poly, Poly)> {
        let ExprKind::Binary(BinaryOp::Equal, left, zero) = &condition.kind else { return None };
        let (ExprKind::Binary(BinaryOp::Modulo, a, b), ExprKind::Int(0)) = (&left.kind, &zero.kind) else {
            return None;
        };
        match (self.eval(a, scope, &Ty::Int), self.eval(b, scope, &Ty::Int)) {
            (Value::Int(a), Value::Int(b)) => Some((a, b)),
            _ => None,
        }
    }

    /// Reports a size that is a fraction: the division that left a remainder, and its sides' origins.
    pub(crate) fn not_whole(&mut self, name: &str, expr: &Expr, scope: &Scope) -> Value {
        let Some((a, b, span)) = self.uneven(expr, scope) else {
            return self.fail(
                Diagnostic::new("not-divisible", expr.span, format!("`{name}` must be whole, but this is a fraction"))
                    .help("round it: `round_up(.., 1)`"),
            );
        };
        let value = |p: &Poly| p.constant().unwrap_or(0);
        let what = format!("`{name}` must be whole, but {} / {} is not", value(&a), value(&b));
        let error = Diagnostic::new("not-divisible", span, what).label(format!("{} / {}", show(&a), show(&b)));
        let is_plain = a.atoms().next().is_none() && b.atoms().next().is_none();
        let error = error.maybe_help(if is_plain { Some("round it: `round_up(.., 1)`".into()) } else { divisors(&a) });
        let error = self.explain(error, &[&a, &b]);
        self.fail(error)
    }

    /// The first division of an expression that leaves a remainder.
    fn uneven(&mut self, expr: &Expr, scope: &Scope) -> Option<(Poly, Poly, Span)> {
        let ExprKind::Binary(op, a, b) = &expr.kind else { return None };
        if let Some(found) = self.uneven(a, scope).or_else(|| self.uneven(b, scope)) {
            return Some(found);
        }
        if *op != BinaryOp::Divide {
            return None;
        }
        match (self.eval(a, scope, &Ty::Any), self.eval(b, scope, &Ty::Any)) {
            (Value::Int(a), Value::Int(b)) => Some((a, b, expr.span)),
            _ => None,
        }
    }

    /// The named values that an expression reads, down to where the user set them.
    fn causes(&self, expr: &Expr) -> Vec<Cause> {
        let mut out: Vec<Cause> = Vec::new();
        let mut stack = vec![expr];
        while let Some(expr) = stack.pop() {
            match &expr.kind {
                ExprKind::Name(name) => self.causes_of(name, &mut out),
                ExprKind::Binary(_, a, b) | ExprKind::Index(a, b) => stack.extend([&**b, &**a]),
                ExprKind::Not(a) | ExprKind::Negate(a) | ExprKind::Field(a, _) => stack.push(a),
                ExprKind::Call(_, arguments) => stack.extend(arguments.iter().map(|a| &a.value)),
                _ => {}
            }
        }
        out
    }

    fn causes_of(&self, name: &str, out: &mut Vec<Cause>) {
        let Some(Slot::Done(value)) = self.slots.get(name) else { return };
        let mut add = |name: &str, value: String| {
            if let (Some(span), false) = (self.origins.get(name), out.iter().any(|c| c.name == name)) {
                out.push(Cause { name: name.to_string(), span: *span, value });
            }
        };
        if let Value::Int(size) = value {
            for atom in size.atoms() {
                if let Atom::Static { name, value } = atom {
                    add(name, value.to_string());
                }
            }
            if size.atoms().any(|a| matches!(a, Atom::Static { name, .. } if self.origins.contains_key(&**name))) {
                return;
            }
        }
        let text = value.describe();
        add(name, text.trim_start_matches("the integer ").trim_start_matches("the float ").to_string());
    }
}

/// "divisors of 32: 1, 2, 4, ..", for a size that could have that many.
pub(crate) fn divisors(size: &Poly) -> Option<String> {
    let n = size.constant().filter(|n| (1..=1 << 20).contains(n))?;
    let all: Vec<String> = (1..=n).filter(|d| n % d == 0).map(|d| d.to_string()).collect();
    Some(format!("divisors of {n}: {}", all.join(", ")))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
