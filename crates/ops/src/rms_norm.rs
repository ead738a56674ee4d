//! Root-mean-square normalisation over the last axis.

use crate::{Attr, AttrDefault, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::{RmsNorm, rms_normalize};

pub(crate) static RMS_NORM: Op = Op {
    name: "rms_norm",
    summary: "y = x / sqrt(mean(x²) + eps) · w; with `plus_one`, · (1 + w); without `weight`, · 1",
    source: "Zhang and Sennrich 2019, arXiv:1910.07467",
    inputs: &[Input::tensor("x")],
    attrs: &[
        Attr::with("eps", AttrType::Float, AttrDefault::Float(1e-6)),
        Attr::with("plus_one", AttrType::Bool, AttrDefault::Bool(false)),
        Attr::with("weight", AttrType::Bool, AttrDefault::Bool(true)),
    ],
    stream_of: None,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    let d = x.last();
    let eps = Lit::F32(call.float("eps")?);
    let load = if call.flag("plus_one") { "rms_norm_plus_one" } else { "rms_norm" };
    let (params, per_element, form) = if call.flag("weight") {
        (vec![Param::new("weight", [d.clone()])], 4, Form::Layer { ty: "RmsNorm", load, args: vec![Lit::Size(d), eps] })
    } else {
        (Vec::new(), 3, Form::Source { name: "rms_normalize", args: vec![eps] })
    };
    Ok(Facts {
        outputs: vec![x.clone()],
        params,
        flops: Flops::pointwise(&(&Poly::int(per_element) * &x.numel()) + &x.rows(), x.rows()),
        state: None,
        form,
    })
}
