//! Layer normalisation over the last axis.

use crate::{Attr, AttrDefault, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::LayerNorm;

pub(crate) static LAYER_NORM: Op = Op {
    name: "layer_norm",
    summary: "y = (x - mean(x)) / sqrt(var(x) + eps) · w + b",
    source: "Ba, Kiros and Hinton 2016, arXiv:1607.06450",
    inputs: &[Input::tensor("x")],
    attrs: &[
        Attr::with("eps", AttrType::Float, AttrDefault::Float(1e-5)),
        Attr::with("bias", AttrType::Bool, AttrDefault::Bool(true)),
    ],
    stream_of: None,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    let d = x.last();
    let mut params = vec![Param::new("weight", [d.clone()])];
    let mut load = "layer_norm_no_bias";
    if call.flag("bias") {
        params.push(Param::new("bias", [d.clone()]));
        load = "layer_norm";
    }
    Ok(Facts {
        outputs: vec![x.clone()],
        params,
        flops: Flops::pointwise(&(&Poly::int(7) * &x.numel()) + &(&Poly::int(2) * &x.rows()), x.rows()),
        state: None,
        form: Form::Layer { ty: "LayerNorm", load, args: vec![Lit::Size(d), Lit::F32(call.float("eps")?)] },
    })
}
