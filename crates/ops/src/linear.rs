//! Affine map of the last axis.

use crate::{Attr, AttrDefault, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::Linear;

pub(crate) static LINEAR: Op = Op {
    name: "linear",
    summary: "y = x·Wᵀ + b, with W stored [d_out, d_in]; onto a residual where one is given",
    source: "torch.nn.Linear",
    inputs: &[Input::tensor("x"), Input::optional("onto")],
    attrs: &[
        Attr::required("d_out", AttrType::Int),
        Attr::with("bias", AttrType::Bool, AttrDefault::Bool(false)),
    ],
    stream_of: None,
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    let (d_in, d_out) = (x.last(), call.int("d_out")?);
    let output = x.with_last(d_out.clone());
    let mut params = vec![Param::new("weight", [d_out.clone(), d_in.clone()])];
    let mut elementwise = Poly::zero();
    let mut load = "linear";
    if call.flag("bias") {
        params.push(Param::new("bias", [d_out.clone()]));
        elementwise = output.numel();
        load = "linear_bias";
    }
    let mut method = "forward";
    if let Some(onto) = call.optional_input("onto") {
        if !onto.same(&output) {
            return Err(OpError::new(format!("a product of {output} cannot be added to {onto}")));
        }
        elementwise = &elementwise + &output.numel();
        method = "forward_onto";
    }
    Ok(Facts {
        flops: Flops::product(&(&Poly::int(2) * &output.numel()) * &d_in, elementwise),
        outputs: vec![output],
        params,
        state: None,
        form: Form::Layer { ty: "Linear", load, args: vec![Lit::Size(d_in), Lit::Size(d_out)], method },
    })
}
