//! Embeddings of mask tokens dropped out, the rest scaled up to what training saw.

use crate::{Attr, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::mask_dropout;

pub(crate) static MASK_DROPOUT: Op = Op {
    name: "mask_dropout",
    summary: "y = 0 where the id is `mask`, else x · (1 - trained) / (1 - share of `mask` among the sequence's tokens)",
    source: "Rives et al. 2021, doi:10.1073/pnas.2016239118, token dropout of the published code",
    inputs: &[Input::tensor("x"), Input::tokens("tokens")],
    attrs: &[Attr::required("mask", AttrType::Natural), Attr::required("trained", AttrType::Float)],
    stream_of: None,
    packs: false,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (x, tokens) = (call.input("x")?, call.input("tokens")?);
    let fits = x.shape.len() == 3 && x.shape.iter().zip(&tokens.shape).all(|(a, b)| a.same(b));
    if !fits {
        return Err(OpError::new(format!("{x} are not embeddings of {tokens}")).at("x"));
    }
    Ok(Facts {
        outputs: vec![x.clone()],
        params: Vec::new(),
        flops: Flops::pointwise(x.numel(), Poly::zero()),
        state: None,
        form: Form::Source {
            name: "mask_dropout",
            args: vec![Lit::Size(call.int("mask")?), Lit::F32(call.float("trained")?)],
        },
    })
}
