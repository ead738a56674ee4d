//! Functions of the static stage.

use std::rc::Rc;

use formwork_diag::{Diagnostic, Span};
use formwork_ops::Poly;

use crate::elaborate::Elaborator;
use crate::numbers::{Fault, opaque};
use crate::repeat::MAX_LAYERS;
use crate::types::Ty;
use crate::value::{Callable, Value};

/// Their names.
pub(crate) const NAMES: &[&str] = &[
    "round_up",
    "round_down",
    "floor",
    "ceil",
    "min",
    "max",
    "sqrt",
    "log",
    "pow",
    "len",
    "each",
    "map",
    "contains",
    "fail",
    "float",
    "starts_with",
    "is_list",
    "letters",
    "bfloat16",
];

impl Elaborator<'_> {
    pub(crate) fn builtin(&mut self, name: &'static str, arguments: Vec<Value>, expected: &Ty, span: Span) -> Value {
        if arguments.iter().any(|a| matches!(a, Value::Unknown)) {
            return Value::Unknown;
        }
        if arguments.iter().any(Value::is_per_layer) {
            return self.fail(crate::eval::per_layer(span));
        }
        let item_type = if let Ty::List(item) = expected { &**item } else { &Ty::Any };
        let result = match (name, arguments.as_slice()) {
            ("each", [Value::Int(n), Value::Callable(f)]) => return self.each(n, &f.clone(), item_type, span),
            ("map", [Value::List(items), Value::Callable(f)]) => {
                let f = f.clone();
                let values = items.iter().map(|item| self.apply_values(&f, vec![item.clone()], item_type, span));
                return Value::List(Rc::new(values.collect()));
            }
            ("fail", [Value::Str(message)]) => {
                let message = message.to_string();
                return self.fail(Diagnostic::new("unsupported", span, message));
            }
            _ => compute(name, &arguments),
        };
        result.unwrap_or_else(|message| self.fail(Diagnostic::new(message.code, span, message.text)))
    }

    /// `each(n, |i| ..)`: a list with one value for each index.
    fn each(&mut self, n: &Poly, f: &Callable, item_type: &Ty, span: Span) -> Value {
        let Some(n) = n.constant().filter(|n| (0..=MAX_LAYERS).contains(n)) else {
            return self.fail(Diagnostic::new("layer-count", span, format!("`each` makes 0 to {MAX_LAYERS} values")));
        };
        let mut values = Vec::new();
        for i in 0..n {
            if !self.has_fuel() {
                return Value::Unknown;
            }
            values.push(self.apply_values(f, vec![Value::int(i)], item_type, span));
        }
        Value::List(Rc::new(values))
    }
}

fn compute(name: &str, arguments: &[Value]) -> Result<Value, Fault> {
    let describe = || arguments.iter().map(Value::describe).collect::<Vec<_>>().join(", ");
    let refuse = || Err(Fault::argument(format!("`{name}` does not apply to {}", describe())));
    match (name, arguments) {
        ("round_up" | "round_down", [x, Value::Int(step)]) => {
            let Some(step_value) = step.constant().filter(|s| *s > 0) else {
                return Err(Fault::argument(format!("`{name}` needs a positive step")));
            };
            let Some((n, d)) = exact(x) else { return refuse() };
            let unit = d.checked_mul(step_value).ok_or_else(|| Fault::overflow("the step is too large".into()))?;
            let down = n.div_euclid(unit);
            let times = if name == "round_up" && n.rem_euclid(unit) != 0 { down + 1 } else { down };
            let value =
                times.checked_mul(step_value).ok_or_else(|| Fault::overflow("the result is too large".into()))?;
            Ok(whole(&format!("{name}({}, {step})", text(x)), value, x))
        }
        ("floor" | "ceil", [x]) => {
            let value = match exact(x) {
                Some((n, d)) => n.div_euclid(d) + i128::from(name == "ceil" && n.rem_euclid(d) != 0),
                None => {
                    let Some(v) = x.as_f64() else { return refuse() };
                    let v = if name == "floor" { v.floor() } else { v.ceil() };
                    #[expect(clippy::cast_possible_truncation, reason = "checked against the range below")]
                    if v.abs() < 1e18 { v as i128 } else { return Err(Fault::overflow(format!("{v} is too large"))) }
                }
            };
            Ok(whole(&format!("{name}({})", text(x)), value, x))
        }
        ("min" | "max", [a, b]) => {
            let (Some(x), Some(y)) = (a.as_f64(), b.as_f64()) else { return refuse() };
            Ok(if (x <= y) == (name == "min") { a.clone() } else { b.clone() })
        }
        ("sqrt" | "log" | "float" | "bfloat16", [x]) => {
            let Some(v) = x.as_f64() else { return refuse() };
            let value = match name {
                "sqrt" => v.sqrt(),
                "log" => v.ln(),
                "bfloat16" => bfloat16(v),
                _ => v,
            };
            if value.is_finite() {
                Ok(Value::float(value))
            } else {
                Err(Fault::not_finite(format!("`{name}` of {v} is not a finite number")))
            }
        }
        ("pow", [a, b]) => {
            let (Some(x), Some(y)) = (a.as_f64(), b.as_f64()) else { return refuse() };
            let value = x.powf(y);
            if value.is_finite() {
                Ok(Value::float(value))
            } else {
                Err(Fault::not_finite(format!("{x} to the power {y} is not a finite number")))
            }
        }
        ("len", [Value::List(items)]) => Ok(Value::int(i128::try_from(items.len()).unwrap_or(0))),
        ("len", [Value::Object(object)]) => Ok(Value::int(i128::try_from(object.data.entries().len()).unwrap_or(0))),
        ("contains", [Value::List(items), x]) => Ok(Value::Bool(items.iter().any(|item| item.equals(x)))),
        ("is_list", [x]) => Ok(Value::Bool(matches!(x, Value::List(_)))),
        ("starts_with", [Value::Str(a), Value::Str(b)]) => Ok(Value::Bool(a.starts_with(&**b))),
        ("letters", [Value::Str(text)]) => {
            let letters = text.chars().map(|letter| Value::Str(letter.to_string().into()));
            Ok(Value::List(Rc::new(letters.collect())))
        }
        _ => refuse(),
    }
}

/// The nearest number that 16 bits hold as a bfloat16; of two as near, the even one.
#[expect(clippy::cast_possible_truncation, reason = "rounding is what it is for")]
fn bfloat16(v: f64) -> f64 {
    let bits = (v as f32).to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
    f64::from(f32::from_bits(rounded))
}

fn exact(v: &Value) -> Option<(i128, i128)> {
    match v {
        Value::Int(p) => Some((p.constant()?, 1)),
        Value::Ratio(n, d) => Some((*n, *d)),
        _ => None,
    }
}

fn text(v: &Value) -> String {
    match v {
        Value::Int(p) => p.to_string(),
        Value::Ratio(n, d) => format!("{n}/{d}"),
        other => other.as_f64().map_or_else(String::new, |f| f.to_string()),
    }
}

/// A rounded size: a plain number from plain numbers, else one under the text of its expression.
fn whole(text: &str, value: i128, from: &Value) -> Value {
    match from {
        Value::Int(p) if p.atoms().next().is_some() => Value::Int(opaque(text, value)),
        _ => Value::int(value),
    }
}
