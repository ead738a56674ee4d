//! The token before.

use crate::{Call, Facts, Flops, Form, Input, Op, OpError, Poly, State};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::token_shift;

pub(crate) static TOKEN_SHIFT: Op = Op {
    name: "token_shift",
    summary: "y_t = x_(t-1), zeros before the first token",
    source: "Peng et al. 2023, arXiv:2305.13048, section 3.1",
    inputs: &[Input::tensor("x")],
    attrs: &[],
    stream_of: Some(0),
    packs: false,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    if x.shape.len() != 3 {
        return Err(OpError::new(format!("`token_shift` takes [B, S, d], not {x}")).at("x"));
    }
    Ok(Facts {
        outputs: vec![x.clone()],
        params: Vec::new(),
        flops: Flops::none(),
        state: Some(State::Recurrent { heads: Poly::int(1), size: x.last() }),
        form: Form::Source { name: "token_shift", args: Vec::new() },
    })
}
