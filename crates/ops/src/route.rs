//! The router of a mixture of experts: from logits to the chosen experts and their weights.

use crate::{Attr, AttrDefault, AttrType, AttrValue, Call, Facts, Flops, Form, Input, Kind, Lit, Op, OpError, Poly, Type};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::{GroupLimit, Renormalise, RouterScore, Routing, route, route_biased};

pub(crate) static ROUTE: Op = Op {
    name: "route",
    summary: "the k best experts of each token by score + bias, and factor · score / norm of each; scores are a softmax or sigmoid of the logits",
    source: "Shazeer et al. 2017, arXiv:1701.06538; groups and bias: arXiv:2412.19437 (2024), section 2.1.2",
    inputs: &[Input::tensor("logits"), Input::optional("bias")],
    attrs: &[
        Attr::required("k", AttrType::Int),
        Attr::with("score", AttrType::Declared("router_score"), AttrDefault::Null),
        Attr::with("groups", AttrType::Declared("group_limit"), AttrDefault::Null),
        Attr::with("renormalise", AttrType::Declared("renormalise"), AttrDefault::Null),
        Attr::with("factor", AttrType::Float, AttrDefault::Float(1.0)),
    ],
    stream_of: None,
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (logits, k) = (call.input("logits")?, call.int("k")?);
    let experts = logits.last();
    let one_each = |bias: &Type| matches!(bias.shape.as_slice(), [n] if n.same(&experts));
    if let Some(bias) = call.optional_input("bias").filter(|bias| !one_each(bias)) {
        return Err(OpError::unequal(format!("the bias is {bias} for {experts} experts"), &bias.last(), &experts).at("bias"));
    }
    if k.constant().is_some_and(|k| k < 1) || k.constant() > experts.constant() {
        return Err(OpError::unequal(format!("{k} of {experts} experts cannot be chosen"), &k, &experts));
    }
    let groups = groups(call.attr("groups"), &k, &experts)?;
    let rows = logits.rows();
    let routing = vec![
        ("k", Lit::Size(k.clone())),
        ("score", score(call.attr("score"))?),
        ("groups", groups),
        ("renormalise", renormalise(call.attr("renormalise"))?),
        ("factor", Lit::F32(call.float("factor")?)),
    ];
    let weights = logits.with_last(k);
    let chosen = Type { kind: Kind::Ids, shape: weights.shape.clone() };
    let biased = call.optional_input("bias").is_some();
    Ok(Facts {
        flops: Flops::pointwise(&Poly::int(if biased { 3 } else { 2 }) * &(&rows * &experts), &rows * &experts),
        outputs: vec![weights, chosen],
        params: Vec::new(),
        state: None,
        form: Form::Source {
            name: if biased { "route_biased" } else { "route" },
            args: vec![Lit::Struct("Routing".into(), routing)],
        },
    })
}

fn unit(kind: &str, variant: &str) -> Lit {
    Lit::Path(format!("{kind}::{variant}"))
}

fn number(value: &AttrValue, field: &str) -> Result<Lit, OpError> {
    let found = value.field(field).and_then(AttrValue::number);
    found.map(Lit::f32).ok_or_else(|| OpError::new(format!("`{field}` is not a number")))
}

fn score(value: &AttrValue) -> Result<Lit, OpError> {
    let AttrValue::Variant(name, _) = value else { return Ok(unit("RouterScore", "Softmax")) };
    Ok(match name.as_str() {
        "softmax" => unit("RouterScore", "Softmax"),
        "chosen_softmax" => unit("RouterScore", "ChosenSoftmax"),
        "sigmoid" => unit("RouterScore", "Sigmoid"),
        "sparse_mixer" => Lit::Apply("RouterScore::SparseMixer".into(), vec![number(value, "jitter")?]),
        other => return Err(OpError::new(format!("router score `{other}` has no kernel"))),
    })
}

fn renormalise(value: &AttrValue) -> Result<Lit, OpError> {
    let AttrValue::Variant(name, _) = value else { return Ok(unit("Renormalise", "No")) };
    let apply = |variant: &str, field| Ok(Lit::Apply(format!("Renormalise::{variant}"), vec![number(value, field)?]));
    match name.as_str() {
        "none" => Ok(unit("Renormalise", "No")),
        "sum" => apply("Sum", "eps"),
        "clamped_sum" => apply("ClampedSum", "least"),
        other => Err(OpError::new(format!("renormalisation `{other}` has no kernel"))),
    }
}

fn groups(value: &AttrValue, k: &Poly, experts: &Poly) -> Result<Lit, OpError> {
    let AttrValue::Variant(name, _) = value else { return Ok(unit("GroupLimit", "Off")) };
    let variant = match name.as_str() {
        "none" => return Ok(unit("GroupLimit", "Off")),
        "max" => "GroupLimit::Max",
        "top2_sum" => "GroupLimit::Top2Sum",
        other => return Err(OpError::new(format!("group limit `{other}` has no kernel"))),
    };
    let size = |field: &str| match value.field(field) {
        Some(AttrValue::Int(size)) if size.constant().is_some_and(|s| s > 0) => Ok(size.clone()),
        _ => Err(OpError::new(format!("`{field}` of group limit `{name}` must be a positive size"))),
    };
    let (groups, chosen) = (size("groups")?, size("chosen")?);
    if let (Some(n), Some(g), Some(c), Some(k)) = (experts.constant(), groups.constant(), chosen.constant(), k.constant()) {
        if n % g != 0 {
            return Err(OpError::indivisible(format!("{n} experts do not form {g} groups"), experts, &groups));
        }
        if c > g || c * (n / g) < k {
            return Err(OpError::new(format!("{c} of {g} groups of {} experts cannot give {k}", n / g)));
        }
    }
    Ok(Lit::Struct(variant.into(), vec![("groups", Lit::Size(groups)), ("chosen", Lit::Size(chosen))]))
}
