//! Two tensors side by side.

use crate::{Call, Facts, Flops, Form, Input, Op, OpError};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::concat;

pub(crate) static CONCAT: Op = Op {
    name: "concat",
    summary: "the last axes of a and b, one after the other",
    source: "torch.cat",
    inputs: &[Input::tensor("a"), Input::tensor("b")],
    attrs: &[],
    stream_of: None,
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (a, b) = (call.input("a")?, call.input("b")?);
    let leading = |shape: &[crate::Poly]| shape.len().saturating_sub(1);
    let (lead_a, lead_b) = (&a.shape[..leading(&a.shape)], &b.shape[..leading(&b.shape)]);
    if a.shape.len() != b.shape.len() || !lead_a.iter().zip(lead_b).all(|(x, y)| x.same(y)) {
        return Err(OpError::unequal(format!("{a} and {b} differ before the last axis"), &a.rows(), &b.rows()).at("b"));
    }
    Ok(Facts {
        outputs: vec![a.with_last(&a.last() + &b.last())],
        params: Vec::new(),
        flops: Flops::none(),
        state: None,
        form: Form::Function { name: "concat", args: Vec::new() },
    })
}
