//! A tensor of the checkpoint as a value of the dataflow.

use crate::{Attr, AttrDefault, AttrType, AttrValue, Call, Facts, Flops, Form, Lit, Op, OpError, Param, Poly, Type};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::Parameter;

pub(crate) static PARAMETER: Op = Op {
    name: "parameter",
    summary: "y = the tensor of the given shape that its path names; a buffer is loaded and does not count as a parameter",
    source: "torch.nn.Parameter",
    inputs: &[],
    attrs: &[
        Attr::required("shape", AttrType::IntList),
        Attr::with("buffer", AttrType::Bool, AttrDefault::Bool(false)),
    ],
    stream_of: None,
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let AttrValue::List(items) = call.attr("shape") else {
        return Err(OpError::new("`shape` is not a list of sizes"));
    };
    let size = |item: &AttrValue| if let AttrValue::Int(p) = item { Some(p.clone()) } else { None };
    let shape: Vec<Poly> = items.iter().filter_map(size).collect();
    if shape.is_empty() || shape.len() > 4 {
        return Err(OpError::new(format!("a parameter has one to four axes, not {}", shape.len())));
    }
    let dims = Lit::Slice(shape.iter().cloned().map(Lit::Size).collect());
    Ok(Facts {
        outputs: vec![Type::f32(shape.clone())],
        params: vec![if call.flag("buffer") { Param::buffer("", shape) } else { Param::new("", shape) }],
        flops: Flops::none(),
        state: None,
        form: Form::layer("Parameter", "parameter", vec![dims]),
    })
}
