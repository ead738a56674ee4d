//! Kernelised linear attention: the softmax is replaced by a product of feature maps, so that a sum over keys is all that is kept.

use crate::attention::heads;
use crate::{
    Attr, AttrDefault, AttrType, AttrValue, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Poly, State, Type,
};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub(crate) use kernel::add;
#[cfg(feature = "kernels")]
pub use kernel::{FeatureMap, linear_attention, linear_attention_full};

/// Tokens that are computed together; the kernel's own number.
pub(crate) const CHUNK: usize = 64;

pub(crate) static LINEAR_ATTENTION: Op = Op {
    name: "linear_attention",
    summary: "y_i = φ(q_i)ᵀ·S_i / φ(q_i)ᵀ·z_i with S_i = Σ φ(k_j)·v_jᵀ and z_i = Σ φ(k_j) over visible keys; φ = elu + 1 or softmax",
    source: "Katharopoulos et al. 2020, arXiv:2006.16236; softmax features: Zhang et al. 2024, arXiv:2402.04347",
    inputs: &[Input::tensor("q"), Input::tensor("k"), Input::tensor("v")],
    attrs: &[
        Attr::required("features", AttrType::Declared("feature_map")),
        Attr::with("causal", AttrType::Bool, AttrDefault::Bool(true)),
    ],
    stream_of: Some(1),
    packs: false,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let h = heads(call)?;
    let causal = call.flag("causal");
    let is_softmax = matches!(call.attr("features"), AttrValue::Variant(name, _) if name == "softmax");
    let features = if is_softmax { "FeatureMap::Softmax" } else { "FeatureMap::EluPlusOne" };
    let tokens = &(&h.batch * &h.queries) * &h.heads;
    let update = &(&Poly::int(4) * &tokens) * &(&h.d_k * &h.d_v);
    // A chunk's own pairs go through products of queries and keys, earlier ones through the state.
    let within = &(&Poly::int(2 * CHUNK as i128) * &tokens) * &(&h.d_k + &h.d_v);
    let features_of = &(&Poly::int(2) * &tokens) * &h.d_k;
    let special = features_of.clone();
    let step = Flops { matmul: update.clone(), elementwise: features_of, special, ..Flops::none() };
    let flops = if causal {
        Flops { matmul: &update + &within, decode: Some(Box::new(step.clone())), ..step }
    } else {
        step
    };
    let size = &h.d_k * &(&h.d_v + &Poly::int(1));
    let name = if causal { "linear_attention" } else { "linear_attention_full" };
    Ok(Facts {
        outputs: vec![Type::f32(vec![h.batch, h.queries, h.heads, h.d_v])],
        params: Vec::new(),
        flops,
        state: causal.then_some(State::Recurrent { heads: h.kv_heads, size }),
        form: Form::Source { name, args: vec![Lit::Path(features.into())] },
    })
}
