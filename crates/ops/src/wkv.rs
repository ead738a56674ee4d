//! The WKV recurrence: a weighted mean of the values so far, whose weights decay at a rate of each channel.

use crate::{Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly, State};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::Wkv;

pub(crate) static WKV: Op = Op {
    name: "wkv",
    summary: "y_t = (Σ_(j<t) e^(k_j - w·(t-1-j))·v_j + e^(u + k_t)·v_t) / (the same without v), with w = e^time_decay and u = time_first",
    source: "Peng et al. 2023, arXiv:2305.13048, equation 16",
    inputs: &[Input::tensor("k"), Input::tensor("v")],
    attrs: &[],
    stream_of: Some(0),
    packs: false,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (k, v) = (call.input("k")?, call.input("v")?);
    if k.shape.len() != 3 || v.shape.len() != 3 || !k.last().same(&v.last()) {
        return Err(OpError::unequal(format!("keys {k} meet values {v}"), &k.last(), &v.last()).at("v"));
    }
    let d = k.last();
    Ok(Facts {
        outputs: vec![v.clone()],
        params: vec![Param::new("time_decay", [d.clone()]), Param::new("time_first", [d.clone()])],
        // Twice: the larger exponent, two differences, two sums of two products; u + k, the decay and the quotient.
        flops: Flops::pointwise(&Poly::int(19) * &k.numel(), &Poly::int(4) * &k.numel()),
        // The sum of weighted values, the sum of weights, and the exponent that both are relative to.
        state: Some(State::Recurrent { heads: d.clone(), size: Poly::int(3) }),
        form: Form::layer("Wkv", "wkv", vec![Lit::Size(d)]),
    })
}
