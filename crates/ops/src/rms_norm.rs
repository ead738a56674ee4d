//! Root-mean-square normalisation over the last axis.

use crate::{Attr, AttrDefault, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::RmsNorm;

pub(crate) static RMS_NORM: Op = Op {
    name: "rms_norm",
    summary: "y = x / sqrt(mean(x²) + eps) · w; with `plus_one`, · (1 + w)",
    source: "Zhang and Sennrich 2019, arXiv:1910.07467",
    inputs: &[Input::tensor("x")],
    attrs: &[
        Attr::with("eps", AttrType::Float, AttrDefault::Float(1e-6)),
        Attr::with("plus_one", AttrType::Bool, AttrDefault::Bool(false)),
    ],
    stream_of: None,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    let d = x.last();
    let load = if call.flag("plus_one") { "rms_norm_plus_one" } else { "rms_norm" };
    Ok(Facts {
        outputs: vec![x.clone()],
        params: vec![Param::new("weight", [d.clone()])],
        flops: Flops::pointwise(&(&Poly::int(4) * &x.numel()) + &x.rows(), x.rows()),
        state: None,
        form: Form::Layer { ty: "RmsNorm", load, args: vec![Lit::Size(d), Lit::F32(call.float("eps")?)] },
    })
}
