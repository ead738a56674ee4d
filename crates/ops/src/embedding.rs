//! Rows of a table, chosen by ids.

use crate::{Attr, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Type};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::Embedding;

pub(crate) static EMBEDDING: Op = Op {
    name: "embedding",
    summary: "y[b, s] = W[ids[b, s]], with W stored [rows, d]",
    source: "torch.nn.Embedding",
    inputs: &[Input::ids("ids")],
    attrs: &[Attr::required("rows", AttrType::Int), Attr::required("d", AttrType::Int)],
    stream_of: None,
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (rows, d) = (call.int("rows")?, call.int("d")?);
    let mut shape = call.input("ids")?.shape.clone();
    shape.push(d.clone());
    Ok(Facts {
        outputs: vec![Type::f32(shape)],
        params: vec![Param::new("weight", [rows.clone(), d.clone()])],
        flops: Flops::none(),
        state: None,
        form: Form::layer("Embedding", "embedding", vec![Lit::Size(rows), Lit::Size(d)]),
    })
}
