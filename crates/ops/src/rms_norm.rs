//! Root-mean-square normalisation over the last axis.

use crate::{Attr, AttrDefault, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::{RmsNorm, rms_normalize};

pub(crate) static RMS_NORM: Op = Op {
    name: "rms_norm",
    summary: "y = x / sqrt(mean(x²) + eps) · w; with `plus_one`, · (1 + w); without `weight`, · 1; with `groups`, a mean for each of equal parts of x",
    source: "Zhang and Sennrich 2019, arXiv:1910.07467",
    inputs: &[Input::tensor("x")],
    attrs: &[
        Attr::with("eps", AttrType::Float, AttrDefault::Float(1e-6)),
        Attr::with("plus_one", AttrType::Bool, AttrDefault::Bool(false)),
        Attr::with("weight", AttrType::Bool, AttrDefault::Bool(true)),
        Attr::with("groups", AttrType::Int, AttrDefault::Int(1)),
    ],
    stream_of: None,
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (x, groups) = (call.input("x")?, call.int("groups")?);
    let d = x.last();
    let eps = Lit::F32(call.float("eps")?);
    let split = groups.constant().filter(|n| *n != 1);
    if let Some((n, d_value)) = split.zip(d.constant())
        && d_value % n != 0
    {
        return Err(OpError::indivisible(format!("{d_value} features do not split into {n} groups"), &d, &groups).at("x"));
    }
    let weighted = call.flag("weight");
    let (load, args) = match (call.flag("plus_one"), split) {
        (false, None) => ("rms_norm", vec![Lit::Size(d.clone()), eps.clone()]),
        (true, None) => ("rms_norm_plus_one", vec![Lit::Size(d.clone()), eps.clone()]),
        (false, Some(_)) if weighted => ("rms_norm_grouped", vec![Lit::Size(d.clone()), Lit::Size(groups.clone()), eps.clone()]),
        _ => return Err(OpError::new("`groups` goes with neither `plus_one` nor `weight: false`")),
    };
    let (params, per_element, form) = if weighted {
        (vec![Param::new("weight", [d])], 4, Form::layer("RmsNorm", load, args))
    } else {
        (Vec::new(), 3, Form::Source { name: "rms_normalize", args: vec![eps] })
    };
    let means = &x.rows() * &groups;
    Ok(Facts {
        outputs: vec![x.clone()],
        params,
        flops: Flops::pointwise(&(&Poly::int(per_element) * &x.numel()) + &means, means),
        state: None,
        form,
    })
}
