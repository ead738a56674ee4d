//! The tokens whose results the caller asked for.

use crate::{Call, Facts, Flops, Form, Input, Op, OpError, Poly, Type};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::asked;

/// The symbol of the number of tokens asked for, of each sequence.
pub const SYMBOL: &str = "asked";

/// What is asked for is known when the model runs: every new token's result, or the last one's alone.
pub static ASKED: Op = Op {
    name: "asked",
    summary: "[B, S, d] to [B, asked, d]: the states of the tokens whose results the caller wants, all or the last",
    source: "Pope et al. 2022, arXiv:2211.05102, section 3: a prompt's logits are needed after its last token alone",
    inputs: &[Input::tensor("x")],
    attrs: &[],
    stream_of: Some(0),
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    let [batch, _, d] = x.shape.as_slice() else {
        return Err(OpError::new(format!("`asked` takes [B, S, d], not {x}")).at("x"));
    };
    Ok(Facts {
        outputs: vec![Type::f32(vec![batch.clone(), Poly::symbol(SYMBOL), d.clone()])],
        params: Vec::new(),
        flops: Flops::none(),
        state: None,
        form: Form::Function { name: "asked", args: Vec::new() },
    })
}
