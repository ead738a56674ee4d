//! Dual chunk attention: a model reads beyond its trained length without training, since no relative position exceeds it.
//!
//! The sequence is cut into chunks of `s` tokens; the model was trained on `c > s` positions. A key at `j` stands at `j mod s`. A
//! query at `i` stands at `i mod s` for keys of its own chunk, at `min(i mod s + s, c - 1)` for keys of the chunk before, so that
//! near keys keep their true distance, and at `c - 1` for all earlier ones.

use crate::attention::{heads, inverse_sqrt};
use crate::rope::constant;
use crate::{
    AttentionFlops, Attr, AttrDefault, AttrType, AttrValue, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Poly,
    State, Type, Visibility,
};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::dual_chunk_attention;

pub(crate) static DUAL_CHUNK_ATTENTION: Op = Op {
    name: "dual_chunk_attention",
    summary: "causal attention with rotary positions i mod s, min(i mod s + s, c - 1) or c - 1 for keys of the same, the last or an earlier chunk",
    source: "An et al. 2024, arXiv:2402.17463, section 3",
    inputs: &[Input::tensor("q"), Input::tensor("k"), Input::tensor("v")],
    attrs: &[
        Attr::required("config", AttrType::Declared("rope_config")),
        Attr::required("chunk", AttrType::Int),
        Attr::required("trained", AttrType::Int),
        Attr::with("scale", AttrType::Float, AttrDefault::Null),
    ],
    stream_of: Some(1),
    packs: false,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let h = heads(call)?;
    let (chunk, trained) = (call.int("chunk")?, call.int("trained")?);
    if chunk.constant().is_none_or(|s| s <= 0) || (&trained - &chunk).constant().is_none_or(|d| d <= 0) {
        let message = format!("a chunk of {chunk} tokens must be shorter than the trained length {trained}");
        return Err(OpError::unequal(message, &chunk, &trained));
    }
    let d_rot = match call.attr("config").field("d_rot") {
        Some(AttrValue::Int(d)) => d.clone(),
        _ => h.d_k.clone(),
    };
    let scale = match call.attr("scale") {
        AttrValue::Null => inverse_sqrt(&h.d_k),
        _ => Lit::F32(call.float("scale")?),
    };
    let pairs = &h.batch * &h.heads;
    let rows = &h.batch * &h.queries;
    let turned = &rows * &(&(&Poly::int(3) * &h.heads) + &h.kv_heads);
    Ok(Facts {
        outputs: vec![Type::f32(vec![h.batch.clone(), h.queries.clone(), h.heads.clone(), h.d_v.clone()])],
        params: Vec::new(),
        flops: Flops {
            attention: Some(AttentionFlops {
                per_pair: &(&Poly::int(2) * &pairs) * &(&h.d_k + &h.d_v),
                elementwise_per_pair: &Poly::int(5) * &pairs,
                queries: h.queries.clone(),
                keys: &h.keys + &Poly::symbol("past"),
                visibility: Visibility::Causal,
                cached: true,
            }),
            elementwise: &(&turned * &d_rot) * &Poly::int(3),
            ..Flops::none()
        },
        state: Some(State::KeyValue { heads: h.kv_heads, d_k: h.d_k, d_v: h.d_v, window: None }),
        form: Form::Source {
            name: "dual_chunk_attention",
            args: vec![constant(call.attr("config"), d_rot)?, Lit::Size(chunk), Lit::Size(trained), scale],
        },
    })
}
