//! Batch normalisation of each feature, in its inference form.

use crate::{Attr, AttrDefault, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::BatchNorm;

pub(crate) static BATCH_NORM: Op = Op {
    name: "batch_norm",
    summary: "y = (x - running_mean) / sqrt(running_var + eps) · w + b",
    source: "Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 2",
    inputs: &[Input::tensor("x")],
    attrs: &[Attr::with("eps", AttrType::Float, AttrDefault::Float(1e-5))],
    stream_of: None,
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    let d = x.last();
    Ok(Facts {
        outputs: vec![x.clone()],
        params: vec![
            Param::new("weight", [d.clone()]),
            Param::new("bias", [d.clone()]),
            Param::buffer("running_mean", [d.clone()]),
            Param::buffer("running_var", [d.clone()]),
        ],
        flops: Flops::pointwise(&Poly::int(4) * &x.numel(), d.clone()),
        state: None,
        form: Form::layer("BatchNorm", "batch_norm", vec![Lit::Size(d), Lit::F32(call.float("eps")?)]),
    })
}
