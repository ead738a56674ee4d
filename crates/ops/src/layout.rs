//! Views: heads, splits, the first token. No arithmetic.

use crate::{Attr, AttrType, AttrValue, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Poly, Type};

/// Axes that a tensor may have.
const MAX_AXES: usize = 4;

pub(crate) static HEADS: Op = Op {
    name: "heads",
    summary: "[.., n·d] to [.., n, d]",
    source: "Vaswani et al. 2017, section 3.2.2",
    inputs: &[Input::tensor("x")],
    attrs: &[Attr::required("n", AttrType::Int)],
    stream_of: None,
    packs: true,
    facts: heads,
};

pub(crate) static MERGE_HEADS: Op = Op {
    name: "merge_heads",
    summary: "[.., n, d] to [.., n·d]",
    source: "Vaswani et al. 2017, section 3.2.2",
    inputs: &[Input::tensor("x")],
    attrs: &[],
    stream_of: None,
    packs: true,
    facts: merge_heads,
};

pub(crate) static SPLIT: Op = Op {
    name: "split",
    summary: "the last axis in pieces of the given widths",
    source: "torch.split",
    inputs: &[Input::tensor("x")],
    attrs: &[Attr::required("widths", AttrType::IntList)],
    stream_of: None,
    packs: true,
    facts: split,
};

fn moved(outputs: Vec<Type>, name: &'static str, args: Vec<Lit>) -> Facts {
    Facts { outputs, params: Vec::new(), flops: Flops::none(), state: None, form: Form::Method { name, args } }
}

fn heads(call: &Call<'_>) -> Result<Facts, OpError> {
    let (x, n) = (call.input("x")?, call.int("n")?);
    if x.shape.len() == MAX_AXES {
        return Err(OpError::new(format!("{x} has {MAX_AXES} axes, and heads would be one more")).at("x"));
    }
    let d = quotient(&x.last(), &n).ok_or_else(|| {
        let number = |p: &Poly| p.constant().map_or_else(|| p.to_string(), |v| v.to_string());
        let message = format!("{} features do not split into {} heads", number(&x.last()), number(&n));
        OpError::indivisible(message, &x.last(), &n).at("x")
    })?;
    let mut shape = x.shape.clone();
    shape.pop();
    shape.extend([n.clone(), d]);
    Ok(moved(vec![Type::f32(shape)], "split_heads", vec![Lit::Size(n)]))
}

/// `a / n` with names kept where the division is visible (`n_heads·d_head / n_heads`).
fn quotient(a: &Poly, n: &Poly) -> Option<Poly> {
    let (value, by) = (a.constant()?, n.constant()?);
    if by <= 0 || value % by != 0 {
        return None;
    }
    let mut terms = a.terms();
    if let (Some((c, factors)), None, Some((1, [(divisor, 1)]))) = (terms.next(), terms.next(), n.terms().next())
        && factors.iter().any(|(atom, _)| atom == divisor) {
            let rest = factors.iter().map(|(atom, power)| {
                let times = if atom == divisor { power - 1 } else { *power };
                (0..times).map(|_| single(atom)).product::<Poly>()
            });
            return Some(rest.fold(Poly::int(c), |p, q| p * q));
        }
    if let Some((1, [(crate::Atom::Static { name, .. }, 1)])) = a.terms().next()
        && let Some((1, [(crate::Atom::Static { name: by_name, .. }, 1)])) = n.terms().next() {
            return Some(Poly::named(&format!("{name}/{by_name}"), value / by));
        }
    Some(Poly::int(value / by))
}

fn single(atom: &crate::Atom) -> Poly {
    match atom {
        crate::Atom::Static { name, value } => Poly::named(name, *value),
        crate::Atom::Symbol(name) => Poly::symbol(name),
    }
}

fn merge_heads(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    if x.shape.len() < 2 {
        return Err(OpError::new(format!("{x} has no heads to merge")).at("x"));
    }
    let mut shape = x.shape.clone();
    let (d, n) = (shape.pop(), shape.pop());
    shape.extend(d.zip(n).map(|(d, n)| product(&d, &n)));
    Ok(moved(vec![Type::f32(shape)], "merge_heads", Vec::new()))
}

/// `d · n`, undoing the quotient that [`HEADS`] made.
fn product(d: &Poly, n: &Poly) -> Poly {
    let whole = &(d * n);
    let (Some(value), Some((1, [(crate::Atom::Static { name, .. }, 1)]))) = (whole.constant(), d.terms().next()) else {
        return whole.clone();
    };
    match name.strip_suffix(&format!("/{n}")) {
        Some(dividend) => Poly::named(dividend, value),
        None => whole.clone(),
    }
}

fn split(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    let AttrValue::List(items) = call.attr("widths") else {
        return Err(OpError::new("`widths` is not a list"));
    };
    let widths: Vec<Poly> = items
        .iter()
        .filter_map(|item| if let AttrValue::Int(p) = item { Some(p.clone()) } else { None })
        .collect();
    let total: Poly = widths.iter().cloned().sum();
    if !total.same(&x.last()) {
        let message = format!("the widths add up to {total}, the last axis is {}", x.last());
        return Err(OpError::unequal(message, &total, &x.last()).at("x"));
    }
    let outputs = widths.iter().map(|w| x.with_last(w.clone())).collect();
    Ok(moved(outputs, "split", vec![Lit::Array(widths.into_iter().map(Lit::Size).collect())]))
}

