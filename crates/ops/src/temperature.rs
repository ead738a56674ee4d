//! Queries that grow with the logarithm of their position.

use crate::{Attr, AttrDefault, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::{Temperature, TemperatureConfig};

pub(crate) static TEMPERATURE: Op = Op {
    name: "temperature",
    summary: "y = x · (1 + scale · ln(1 + floor((position + offset) / every)))",
    source: "Nakanishi 2025, arXiv:2501.19399, in the stepwise form of transformers",
    inputs: &[Input::tensor("x")],
    attrs: &[
        Attr::required("scale", AttrType::Float),
        Attr::required("every", AttrType::Int),
        Attr::with("offset", AttrType::Int, AttrDefault::Int(0)),
    ],
    stream_of: Some(0),
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (x, every) = (call.input("x")?, call.int("every")?);
    if every.constant().is_none_or(|n| n <= 0) {
        return Err(OpError::new(format!("`every` must be a positive size, not {every}")));
    }
    let fields = vec![
        ("scale", Lit::F32(call.float("scale")?)),
        ("every", Lit::Size(every)),
        ("offset", Lit::Size(call.int("offset")?)),
    ];
    let config = Lit::Constant {
        name: "TEMPERATURE",
        ty: "TemperatureConfig",
        doc: "How queries grow with their position.".into(),
        value: Box::new(Lit::Struct("TemperatureConfig".into(), fields)),
    };
    Ok(Facts {
        outputs: vec![x.clone()],
        params: Vec::new(),
        flops: Flops::pointwise(x.numel(), Poly::zero()),
        state: None,
        form: Form::Helper { field: "temperature", ty: "Temperature", config, method: "apply" },
    })
}
