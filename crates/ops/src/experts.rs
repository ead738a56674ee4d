//! The experts of a mixture: feed-forwards of which each token runs the chosen ones.

use crate::{Attr, AttrDefault, AttrType, AttrValue, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
mod matrices;
#[cfg(feature = "kernels")]
pub(crate) use kernel::{gather, groups, scatter};
#[cfg(feature = "kernels")]
pub use kernel::{Experts, ExpertsConfig};
#[cfg(feature = "kernels")]
pub use matrices::{ExpertActivation, ExpertKind, Stacked};

pub(crate) static EXPERTS: Op = Op {
    name: "experts",
    summary: "y = Σ over the chosen experts e of weight_e · down_e(act(gate_e·x) · up_e·x); up is held within ±limit, gate below it, and up_shift added to up; weigh_inputs scales x instead of the result, and choices beyond the last expert give x itself",
    source: "Shazeer et al. 2017, arXiv:1701.06538, section 2; identities: Meituan LongCat Team 2025, arXiv:2509.01322, section 2.1",
    inputs: &[Input::tensor("x"), Input::tensor("weights"), Input::ids("chosen")],
    attrs: &[
        Attr::required("n_experts", AttrType::Int),
        Attr::required("d_ff", AttrType::Int),
        Attr::required("act", AttrType::Declared("activation")),
        Attr::required("kind", AttrType::Declared("expert_kind")),
        Attr::with("bias", AttrType::Bool, AttrDefault::Bool(false)),
        Attr::with("limit", AttrType::Float, AttrDefault::Null),
        Attr::with("up_shift", AttrType::Float, AttrDefault::Float(0.0)),
        Attr::with("weigh_inputs", AttrType::Bool, AttrDefault::Bool(false)),
    ],
    stream_of: None,
    packs: true,
    facts,
};

struct Kind {
    variant: &'static str,
    /// The first matrices: their names and how many times `d_ff` wide they are.
    first: &'static [(&'static str, &'static str, i128)],
    gated: bool,
}

const KINDS: [(&str, Kind); 4] = [
    ("plain", Kind { variant: "Plain", first: &[("up_proj", "up_proj_bias", 1)], gated: false }),
    ("gated", Kind { variant: "Gated", first: &[("gate_proj", "gate_proj_bias", 1), ("up_proj", "up_proj_bias", 1)], gated: true }),
    ("fused", Kind { variant: "Fused", first: &[("gate_up_proj", "gate_up_proj_bias", 2)], gated: true }),
    ("interleaved", Kind { variant: "Interleaved", first: &[("gate_up_proj", "gate_up_proj_bias", 2)], gated: true }),
];

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (x, weights, chosen) = (call.input("x")?, call.input("weights")?, call.input("chosen")?);
    let (n, d_ff, d) = (call.int("n_experts")?, call.int("d_ff")?, x.last());
    let same = weights.shape.len() == chosen.shape.len() && weights.shape.iter().zip(&chosen.shape).all(|(a, b)| a.same(b));
    if !same || !weights.rows().same(&x.rows()) {
        return Err(OpError::new(format!("{x} has routes {weights} to {chosen}")).at("weights").help("take both from `route`"));
    }
    let kind = kind(call.attr("kind"))?;
    let width: i128 = kind.first.iter().map(|(_, _, times)| times).sum();
    let used = &x.rows() * &weights.last();
    let hidden = &used * &d_ff;
    let bias = call.flag("bias");
    let limit = if let AttrValue::Null = call.attr("limit") { None } else { Some(call.float("limit")?) };
    let per_hidden = i128::from(kind.gated) + if bias { width } else { 0 } + if limit.is_some() { 3 } else { 0 } + 1;
    let per_output = if bias { 3 } else { 2 };
    let matmul = &Poly::int(2) * &(&(&Poly::int(width + 1) * &hidden) * &d);
    let config = vec![
        ("experts", Lit::Size(n.clone())),
        ("d", Lit::Size(d.clone())),
        ("d_ff", Lit::Size(d_ff.clone())),
        ("kind", Lit::Path(format!("ExpertKind::{}", kind.variant))),
        ("act", Lit::Path(format!("ExpertActivation::{}", activation(call.attr("act"))?))),
        ("bias", Lit::Bool(bias)),
        ("limit", limit.map_or(Lit::Path("None".into()), |limit| Lit::Apply("Some".into(), vec![Lit::F32(limit)]))),
        ("up_shift", Lit::f32(call.float("up_shift")?.value)),
        ("weigh_inputs", Lit::Bool(call.flag("weigh_inputs"))),
    ];
    Ok(Facts {
        outputs: vec![x.clone()],
        params: params(&kind, bias, [&n, &weights.last(), &d, &d_ff]),
        // Whether a choice is an expert or an identity is known at run time alone: all count as experts.
        flops: Flops {
            matmul,
            elementwise: &(&Poly::int(per_hidden) * &hidden) + &(&Poly::int(per_output) * &(&used * &d)),
            special: hidden,
            ..Flops::none()
        },
        state: None,
        form: Form::layer("Experts", "experts", vec![Lit::Struct("ExpertsConfig".into(), config)]),
    })
}

/// All matrices stacked over the experts; a token meets `k` of them.
fn params(kind: &Kind, bias: bool, [n, k, d, d_ff]: [&Poly; 4]) -> Vec<Param> {
    let mut out = Vec::new();
    let mut add = |name, rest: Vec<Poly>| out.push(Param::chosen(name, n, k, rest));
    for (name, bias_name, times) in kind.first {
        let width = &Poly::int(*times) * d_ff;
        add(*name, vec![width.clone(), d.clone()]);
        if bias {
            add(*bias_name, vec![width]);
        }
    }
    add("down_proj", vec![d.clone(), d_ff.clone()]);
    if bias {
        add("down_proj_bias", vec![d.clone()]);
    }
    out
}

fn kind(value: &AttrValue) -> Result<Kind, OpError> {
    let AttrValue::Variant(name, _) = value else { return Err(OpError::new("`kind` is not a kind of expert")) };
    let found = KINDS.into_iter().find(|(known, _)| known == name);
    found.map(|(_, kind)| kind).ok_or_else(|| OpError::new(format!("experts of kind `{name}` have no kernel")))
}

fn activation(value: &AttrValue) -> Result<&'static str, OpError> {
    let AttrValue::Variant(name, _) = value else { return Err(OpError::new("`act` is not an activation")) };
    Ok(match name.as_str() {
        "relu" => "Relu",
        "relu2" => "Relu2",
        "gelu" => "Gelu",
        "gelu_tanh" => "GeluTanh",
        "gelu_quick" => "GeluQuick",
        "silu" => "Silu",
        "sigmoid" => "Sigmoid",
        "tanh" => "Tanh",
        other => return Err(OpError::new(format!("experts have no kernel for activation `{other}`"))),
    })
}
