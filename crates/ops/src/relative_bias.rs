//! T5's bucketed relative-position bias, added to the attention scores.

use crate::{Attr, AttrDefault, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly, Type};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::RelativeBias;

pub(crate) static RELATIVE_BIAS: Op = Op {
    name: "relative_bias",
    summary: "y[h, j - i + S - 1] = W[bucket(j - i), h], what attention adds to the score of query i of S on key j; buckets are exact when near and logarithmic when far",
    source: "Raffel et al. 2019, arXiv:1910.10683, section 2.1",
    inputs: &[Input::tokens("queries"), Input::tokens("keys")],
    attrs: &[
        Attr::required("buckets", AttrType::Int),
        Attr::required("n_heads", AttrType::Int),
        Attr::required("max_distance", AttrType::Int),
        Attr::with("bidirectional", AttrType::Bool, AttrDefault::Bool(true)),
    ],
    stream_of: None,
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (buckets, heads, far) = (call.int("buckets")?, call.int("n_heads")?, call.int("max_distance")?);
    let bidirectional = call.flag("bidirectional");
    let length = |name| -> Result<Poly, OpError> {
        let stream = call.input(name)?;
        stream.shape.get(1).cloned().ok_or_else(|| OpError::new("a token stream is [B, S]").at("queries"))
    };
    let queries = length("queries")?;
    let keys = if bidirectional { length("keys")? } else { &length("keys")? + &Poly::symbol("past") };
    Ok(Facts {
        outputs: vec![Type::f32(vec![heads.clone(), &(&queries + &keys) - &Poly::int(1)])],
        params: vec![Param::new("weight", [buckets.clone(), heads.clone()])],
        flops: Flops::none(),
        state: None,
        form: Form::layer("RelativeBias", "relative_bias", vec![Lit::Size(buckets), Lit::Size(heads), Lit::Bool(bidirectional), Lit::Size(far)]),
    })
}
