//! Checked arithmetic of the static stage: exact integers and fractions, floats where one is given.

use formwork_ops::{Atom, Float, Poly};
use formwork_syntax::ast::BinaryOp;

use crate::value::Value;

/// What is wrong with a computation, and its diagnostic code.
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) text: String,
}

impl Fault {
    pub(crate) fn operator(text: String) -> Self {
        Self { code: "bad-operator", text }
    }

    pub(crate) fn argument(text: String) -> Self {
        Self { code: "bad-argument", text }
    }

    pub(crate) fn overflow(text: String) -> Self {
        Self { code: "number-overflow", text }
    }

    pub(crate) fn zero(text: String) -> Self {
        Self { code: "division-by-zero", text }
    }

    pub(crate) fn not_finite(text: String) -> Self {
        Self { code: "not-finite", text }
    }
}

/// The result of an operator on two numbers, or what is wrong with it.
pub(crate) fn arithmetic(op: BinaryOp, a: &Value, b: &Value) -> Result<Value, Fault> {
    if let (Value::Int(x), Value::Int(y)) = (a, b) {
        return integers(op, x, y);
    }
    if let (Some((an, ad)), Some((bn, bd))) = (fraction(a), fraction(b)) {
        return fractions(op, (an, ad), (bn, bd));
    }
    let (Some(x), Some(y)) = (a.as_f64(), b.as_f64()) else {
        return Err(Fault::operator(format!(
            "`{}` does not apply to {} and {}",
            op.symbol(),
            a.describe(),
            b.describe()
        )));
    };
    let value = match op {
        BinaryOp::Add => x + y,
        BinaryOp::Subtract => x - y,
        BinaryOp::Multiply => x * y,
        BinaryOp::Divide if y == 0.0 => return Err(Fault::zero(format!("{x} / {y} divides by zero"))),
        BinaryOp::Divide => x / y,
        _ => return Err(Fault::operator(format!("`{}` does not apply to floats", op.symbol()))),
    };
    if value.is_finite() {
        Ok(Value::float(value))
    } else {
        Err(Fault::not_finite(format!("{x} {} {y} is not a finite number", op.symbol())))
    }
}

fn integers(op: BinaryOp, x: &Poly, y: &Poly) -> Result<Value, Fault> {
    let checked = |p: Poly| match p.constant() {
        Some(_) => Ok(Value::Int(p)),
        None => Err(Fault::overflow(format!("`{x} {} {y}` does not fit 128 bits", op.symbol()))),
    };
    let (Some(a), Some(b)) = (x.constant(), y.constant()) else {
        return Err(Fault::overflow(format!("`{x} {} {y}` does not fit 128 bits", op.symbol())));
    };
    match op {
        BinaryOp::Add => checked(x + y),
        BinaryOp::Subtract => checked(x - y),
        BinaryOp::Multiply => checked(x * y),
        BinaryOp::Divide if b == 0 => Err(Fault::zero(format!("{x} / {y} divides by zero"))),
        BinaryOp::Divide if a % b == 0 => Ok(Value::Int(quotient(x, y, a / b))),
        BinaryOp::Divide => fractions(op, (a, 1), (b, 1)),
        BinaryOp::Modulo if b == 0 => Err(Fault::zero(format!("{x} % {y} divides by zero"))),
        BinaryOp::Modulo => Ok(Value::Int(opaque(&format!("{x} % {y}"), a.rem_euclid(b)))),
        _ => Err(Fault::operator(format!("`{}` is not arithmetic", op.symbol()))),
    }
}

/// `a / b` under its own text, unless both are plain numbers.
fn quotient(x: &Poly, y: &Poly, value: i128) -> Poly {
    if x.atoms().next().is_none() || x == y {
        return Poly::int(value);
    }
    opaque(&format!("{}/{}", grouped(x), grouped(y)), value)
}

fn grouped(p: &Poly) -> String {
    let text = p.to_string();
    if text.contains([' ', '·']) { format!("({text})") } else { text }
}

/// A size that no polynomial expresses, under the text of its expression.
pub(crate) fn opaque(text: &str, value: i128) -> Poly {
    Poly::named(text, value)
}

fn fraction(v: &Value) -> Option<(i128, i128)> {
    match v {
        Value::Int(p) => Some((p.constant()?, 1)),
        Value::Ratio(n, d) => Some((*n, *d)),
        _ => None,
    }
}

fn fractions(op: BinaryOp, (an, ad): (i128, i128), (bn, bd): (i128, i128)) -> Result<Value, Fault> {
    let cross = |a: i128, b: i128| a.checked_mul(b);
    let result = match op {
        BinaryOp::Add => cross(an, bd).zip(cross(bn, ad)).and_then(|(x, y)| x.checked_add(y)).zip(cross(ad, bd)),
        BinaryOp::Subtract => cross(an, bd).zip(cross(bn, ad)).and_then(|(x, y)| x.checked_sub(y)).zip(cross(ad, bd)),
        BinaryOp::Multiply => cross(an, bn).zip(cross(ad, bd)),
        BinaryOp::Divide if bn == 0 => return Err(Fault::zero(format!("{an}/{ad} is divided by zero"))),
        BinaryOp::Divide => cross(an, bd).zip(cross(ad, bn)),
        _ => return Err(Fault::operator(format!("`{}` does not apply to fractions", op.symbol()))),
    };
    let (n, d) =
        result.ok_or_else(|| Fault::overflow(format!("`{}` of these fractions does not fit 128 bits", op.symbol())))?;
    Ok(reduced(n, d))
}

/// A fraction in lowest terms, whole where it is.
pub(crate) fn reduced(n: i128, d: i128) -> Value {
    let (mut a, mut b) = (n.unsigned_abs(), d.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let divisor = i128::try_from(a.max(1)).unwrap_or(1);
    let (mut n, mut d) = (n / divisor, d / divisor);
    if d < 0 {
        (n, d) = (-n, -d);
    }
    if d == 1 { Value::int(n) } else { Value::Ratio(n, d) }
}

/// Compares two numbers or strings.
pub(crate) fn compare(op: BinaryOp, a: &Value, b: &Value) -> Result<bool, Fault> {
    let ordering = match (fraction(a), fraction(b)) {
        (Some((an, ad)), Some((bn, bd))) => an.checked_mul(bd).zip(bn.checked_mul(ad)).map(|(x, y)| x.cmp(&y)),
        _ => a.as_f64().zip(b.as_f64()).and_then(|(x, y)| x.partial_cmp(&y)),
    };
    let ordering = ordering.ok_or_else(|| {
        Fault::operator(format!("`{}` does not apply to {} and {}", op.symbol(), a.describe(), b.describe()))
    })?;
    Ok(match op {
        BinaryOp::Less => ordering.is_lt(),
        BinaryOp::LessEqual => ordering.is_le(),
        BinaryOp::Greater => ordering.is_gt(),
        _ => ordering.is_ge(),
    })
}

/// Gives a number the name of the parameter that holds it.
pub(crate) fn named(value: Value, name: &str) -> Value {
    match value {
        Value::Int(p) => match p.constant() {
            Some(v) => Value::Int(Poly::named(name, v)),
            None => Value::Int(p),
        },
        Value::Float(f) => Value::Float(Float { value: f.value, name: Some(name.to_string()) }),
        Value::Ratio(..) => value,
        other => other,
    }
}

/// Gives a size that no polynomial expresses (a quotient, a rounding, a fraction made whole) the name of the `let` that holds it.
pub(crate) fn rename_opaque(value: Value, name: &str) -> Value {
    let Value::Int(p) = &value else { return value };
    let is_name = |n: &str| n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
    let has_opaque = p.atoms().any(|a| matches!(a, Atom::Static { name, .. } if !is_name(name)));
    let has_none = p.atoms().next().is_none();
    if has_opaque || has_none { named(value, name) } else { value }
}
