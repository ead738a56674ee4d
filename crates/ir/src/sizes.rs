//! Sizes and numbers that every op can work with: dimensions from 1 up to what a machine can address, finite factors.

use formwork_diag::{Diagnostic, Span};
use formwork_ops::{Atom, AttrValue, Facts, Float, Poly};

use crate::call::show;
use crate::elaborate::Elaborator;

/// Most elements of one tensor of a checkpoint.
const MAX_ELEMENTS: i128 = 1 << 48;

impl Elaborator<'_> {
    /// Sizes inside an op's argument are positive, numbers are finite.
    pub(crate) fn check_attribute(&mut self, op: &str, name: &str, value: &AttrValue, span: Span) -> bool {
        match value {
            AttrValue::Int(size) => self.at_least(1, size, &format!("`{name}` of `{op}`"), span),
            other => self.check_nested(op, name, other, span),
        }
    }

    /// Inside lists and records a size may be none; there the op's own rules say which.
    fn check_nested(&mut self, op: &str, name: &str, value: &AttrValue, span: Span) -> bool {
        match value {
            AttrValue::Int(size) => self.at_least(0, size, &format!("`{name}` of `{op}`"), span),
            AttrValue::Float(float) => self.finite(float, op, name, span),
            AttrValue::List(items) => items.iter().all(|item| self.check_nested(op, name, item, span)),
            AttrValue::Record(fields) | AttrValue::Variant(_, fields) => {
                fields.iter().all(|(field, value)| self.check_nested(op, &format!("{name}.{field}"), value, span))
            }
            _ => true,
        }
    }

    /// What an op makes, and what it loads, has at least one element along each axis and not more than memory can hold.
    pub(crate) fn sizes_fit(&mut self, op: &str, facts: &Facts, span: Span) -> bool {
        let dims = facts.outputs.iter().flat_map(|o| &o.shape).chain(facts.params.iter().flat_map(|p| &p.shape));
        let dims: Vec<Poly> = dims.filter(|d| is_static(d)).cloned().collect();
        if !dims.iter().all(|dim| self.at_least(1, dim, &format!("a dimension of `{op}`"), span)) {
            return false;
        }
        let tensors = facts.params.iter().map(|p| p.shape.clone());
        let tensors =
            tensors.chain(facts.outputs.iter().map(|o| o.shape.iter().filter(|d| is_static(d)).cloned().collect()));
        for shape in tensors {
            let elements: Poly = shape.iter().cloned().product();
            if elements.constant().is_none_or(|n| n > MAX_ELEMENTS) {
                let dims: Vec<String> = shape.iter().map(show).collect();
                let what = format!("`{op}` needs a tensor of more than 2^48 elements");
                let error = Diagnostic::new("huge-tensor", span, what).label(dims.join(" by "));
                let error = self.explain(error, &shape.iter().collect::<Vec<_>>());
                self.fail(error);
                return false;
            }
        }
        true
    }

    /// A size counts from 1, an id or an offset from 0.
    pub(crate) fn at_least(&mut self, least: i128, size: &Poly, what: &str, span: Span) -> bool {
        match size.constant() {
            Some(value) if value < least => {
                let kind = if least == 0 { "an id or offset" } else { "a size" };
                let error =
                    Diagnostic::new("bad-size", span, format!("{what} is {value}, but {kind} is at least {least}"));
                let mut error = self.explain(error.label(show(size)), &[size]);
                if let Some(cause) = self.cause(size) {
                    error.secondary.sort_by_key(|label| label.span == cause);
                }
                self.fail(error);
                false
            }
            _ => true,
        }
    }

    /// Where the factor that makes a size too small was set.
    fn cause(&self, size: &Poly) -> Option<Span> {
        size.atoms().find_map(|atom| match atom {
            Atom::Static { name, value } if *value <= 0 => self.origins.get(&**name).copied(),
            _ => None,
        })
    }

    fn finite(&mut self, float: &Float, op: &str, name: &str, span: Span) -> bool {
        let value = float.value;
        let (code, what) = if !value.is_finite() {
            ("not-finite", "is not a finite number")
        } else if value.abs() > f64::from(f32::MAX) {
            ("number-range", "is larger than any 32-bit float")
        } else if value != 0.0 && value.abs() < f64::from(f32::MIN_POSITIVE) {
            ("number-range", "is smaller than any 32-bit float")
        } else {
            return true;
        };
        let mut error = Diagnostic::new(code, span, format!("`{name}` of `{op}` {what}: {value:e}"));
        if let Some(origin) = float.name.as_ref().and_then(|name| self.origins.get(name)) {
            error = error.because(*origin, "set here");
        }
        self.fail(error);
        false
    }
}

/// Whether every factor is known when the spec is compiled.
fn is_static(dim: &Poly) -> bool {
    dim.atoms().all(|a| matches!(a, Atom::Static { .. }))
}
