//! Layer normalisation over the last axis.

use crate::{Attr, AttrDefault, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly, Type};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::{LayerNorm, layer_normalize};

pub(crate) static LAYER_NORM: Op = Op {
    name: "layer_norm",
    summary: "y = (x - mean(x)) / sqrt(var(x) + eps) · w + b; with `plus_one`, · (1 + w); with `per_head`, a w for each head; without `weight`, neither w nor b",
    source: "Ba, Kiros and Hinton 2016, arXiv:1607.06450",
    inputs: &[Input::tensor("x")],
    attrs: &[
        Attr::with("eps", AttrType::Float, AttrDefault::Float(1e-5)),
        Attr::with("bias", AttrType::Bool, AttrDefault::Bool(true)),
        Attr::with("plus_one", AttrType::Bool, AttrDefault::Bool(false)),
        Attr::with("per_head", AttrType::Bool, AttrDefault::Bool(false)),
        Attr::with("weight", AttrType::Bool, AttrDefault::Bool(true)),
    ],
    stream_of: None,
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    let (per_element, params, form) = scaled(call)?;
    Ok(Facts {
        outputs: vec![x.clone()],
        params,
        flops: Flops::pointwise(&(&Poly::int(per_element) * &x.numel()) + &(&Poly::int(2) * &x.rows()), x.rows()),
        state: None,
        form,
    })
}

/// What follows the normalisation: additions and products of each element, parameters and the call.
fn scaled(call: &Call<'_>) -> Result<(i128, Vec<Param>, Form), OpError> {
    let x = call.input("x")?;
    let (d, eps) = (x.last(), Lit::F32(call.float("eps")?));
    let layer = |load, args| Form::layer("LayerNorm", load, args);
    let weight = Param::new("weight", [d.clone()]);
    Ok(match (call.flag("weight"), call.flag("per_head"), call.flag("bias"), call.flag("plus_one")) {
        (false, ..) => (5, Vec::new(), Form::Source { name: "layer_normalize", args: vec![eps] }),
        (_, true, false, false) => {
            let heads = per_head(x)?;
            (6, vec![Param::new("weight", [heads.clone(), d.clone()])], layer("layer_norm_per_head", vec![Lit::Size(heads), Lit::Size(d), eps]))
        }
        (_, true, ..) => return Err(OpError::new("a norm for each head has neither a bias nor `plus_one`")),
        (_, _, false, true) => return Err(OpError::new("`plus_one` goes with a bias").help("drop `bias: false`")),
        (_, _, false, false) => (6, vec![weight], layer("layer_norm_no_bias", vec![Lit::Size(d), eps])),
        (_, _, true, plus_one) => {
            let load = if plus_one { "layer_norm_plus_one" } else { "layer_norm" };
            (7, vec![weight, Param::new("bias", [d.clone()])], layer(load, vec![Lit::Size(d), eps]))
        }
    })
}

fn per_head(x: &Type) -> Result<Poly, OpError> {
    match x.shape.as_slice() {
        [.., heads, _] if x.shape.len() > 2 => Ok(heads.clone()),
        _ => Err(OpError::new(format!("`per_head` takes [.., heads, d_head], not {x}")).at("x").help("split the heads first: `|> heads(n)`")),
    }
}
