//! The real-gated linear recurrent unit: a number for each channel, forgotten and written as two gates say.

use crate::{Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly, State};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::RgLru;

pub(crate) static RG_LRU: Op = Op {
    name: "rg_lru",
    summary: "h ← a·h + √(1 - a²)·(i·x), y = h for each channel, with a = e^(-8·r·softplus(λ)); the first token is taken whole: h = i·x",
    source: "De et al. 2024, arXiv:2402.19427, section 2.4",
    inputs: &[Input::tensor("x"), Input::tensor("i"), Input::tensor("r")],
    attrs: &[],
    stream_of: Some(0),
    packs: false,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    if x.shape.len() != 3 {
        return Err(OpError::new(format!("`rg_lru` takes [B, S, d], not {x}")).at("x"));
    }
    let d = x.last();
    for name in ["i", "r"] {
        let ty = call.input(name)?;
        if ty.shape.len() != 3 || !ty.last().same(&d) {
            return Err(OpError::unequal(format!("the gate `{name}` {ty} meets channels {x}"), &ty.last(), &d).at(name));
        }
    }
    Ok(Facts {
        outputs: vec![x.clone()],
        params: vec![Param::new("recurrent_param", [d.clone()])],
        // The decay, its square and 1 - a²; i·x, its factor; a·h and the sum. Two exponentials and a root.
        flops: Flops::pointwise(&Poly::int(7) * &x.numel(), &Poly::int(3) * &x.numel()),
        state: Some(State::Recurrent { heads: d.clone(), size: Poly::int(1) }),
        form: Form::layer("RgLru", "rg_lru", vec![Lit::Size(d)]),
    })
}
