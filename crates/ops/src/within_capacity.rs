//! Experts that take a bounded number of each sequence's tokens.

use crate::{Attr, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::within_capacity;

pub(crate) static WITHIN_CAPACITY: Op = Op {
    name: "within_capacity",
    summary: "weights, 0 where `n` earlier tokens of the sequence have chosen the same expert; tokens are counted from the first of this step",
    source: "Fedus et al. 2021, arXiv:2101.03961, section 2.2",
    inputs: &[Input::tensor("weights"), Input::ids("chosen")],
    attrs: &[Attr::required("n", AttrType::Int)],
    stream_of: None,
    packs: false,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (weights, chosen, n) = (call.input("weights")?, call.input("chosen")?, call.int("n")?);
    let alike = weights.shape.len() == 3 && chosen.shape.iter().zip(&weights.shape).all(|(a, b)| a.same(b));
    if !alike {
        return Err(OpError::new(format!("{weights} are not the weights of the choice {chosen}")).at("weights"));
    }
    if n.constant().is_none_or(|n| n < 1) {
        return Err(OpError::new(format!("experts that take {n} tokens take none")));
    }
    Ok(Facts {
        outputs: vec![weights.clone()],
        params: Vec::new(),
        flops: Flops::pointwise(Poly::zero(), Poly::zero()),
        state: None,
        form: Form::Source { name: "within_capacity", args: vec![Lit::Size(n)] },
    })
}
