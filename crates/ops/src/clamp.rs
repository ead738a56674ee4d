//! Elements held between two bounds.

use crate::{Attr, AttrDefault, AttrType, AttrValue, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::clamp;

pub(crate) static CLAMP: Op = Op {
    name: "clamp",
    summary: "y = min(max(x, low), high); a bound that is null does not hold",
    source: "torch.clamp",
    inputs: &[Input::tensor("x")],
    attrs: &[
        Attr::with("low", AttrType::Float, AttrDefault::Null),
        Attr::with("high", AttrType::Float, AttrDefault::Null),
    ],
    stream_of: None,
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    let (low, high) = (bound(call, "low", "f32::NEG_INFINITY")?, bound(call, "high", "f32::INFINITY")?);
    if let (Some(a), Some(b)) = (call.attr("low").number(), call.attr("high").number())
        && a > b
    {
        return Err(OpError::new(format!("the lower bound {a} is above the upper bound {b}")));
    }
    Ok(Facts {
        outputs: vec![x.clone()],
        params: Vec::new(),
        flops: Flops::pointwise(&Poly::int(2) * &x.numel(), Poly::zero()),
        state: None,
        form: Form::Function { name: "clamp", args: vec![low, high] },
    })
}

fn bound(call: &Call<'_>, name: &str, absent: &str) -> Result<Lit, OpError> {
    match call.attr(name) {
        AttrValue::Null => Ok(Lit::Path(absent.into())),
        _ => Ok(Lit::F32(call.float(name)?)),
    }
}
