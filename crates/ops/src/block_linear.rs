//! A linear map for each head by itself: a block-diagonal matrix.

use crate::{Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::BlockLinear;

pub(crate) static BLOCK_LINEAR: Op = Op {
    name: "block_linear",
    summary: "y_h = x_h · W_h + b_h for each head h, with W_h [d, d]",
    source: "De et al. 2024, arXiv:2402.19427, section 2.4",
    inputs: &[Input::tensor("x")],
    attrs: &[],
    stream_of: None,
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    let [_, _, heads, d] = x.shape.as_slice() else {
        let help = "split the heads first: `|> heads(n)`";
        return Err(OpError::new(format!("`block_linear` takes [B, S, heads, d], not {x}")).at("x").help(help));
    };
    Ok(Facts {
        outputs: vec![x.clone()],
        params: vec![
            Param::new("weight", [heads.clone(), d.clone(), d.clone()]),
            Param::new("bias", [heads.clone(), d.clone()]),
        ],
        flops: Flops::product(&(&Poly::int(2) * &x.numel()) * d, x.numel()),
        state: None,
        form: Form::layer("BlockLinear", "block_linear", vec![Lit::Size(heads.clone()), Lit::Size(d.clone())]),
    })
}
