//! Attention to chosen keys: a narrow learned indexer scores all earlier tokens, and a query reads the best of them alone.

use crate::attention::{heads, inverse_sqrt};
use crate::{
    AttentionFlops, Attr, AttrDefault, AttrType, AttrValue, Call, Facts, Flops, Form, Input, Kind, Lit, Op, OpError,
    Poly, State, Type, Visibility,
};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::{chosen_attention, top_keys};
#[cfg(feature = "kernels")]
pub(crate) use kernel::NONE;

pub(crate) static TOP_KEYS: Op = Op {
    name: "top_keys",
    summary: "the n keys j ≤ i with the largest Σ_h w_i,h · max(q_i,h·k_j, 0), for each token i; ties go to the earlier key",
    source: "arXiv:2512.02556 (2025), equation 1 (the lightning indexer)",
    inputs: &[Input::tensor("q"), Input::tensor("k"), Input::tensor("w")],
    attrs: &[Attr::required("n", AttrType::Int)],
    stream_of: Some(1),
    packs: false,
    facts: top_keys_facts,
};

pub(crate) static CHOSEN_ATTENTION: Op = Op {
    name: "chosen_attention",
    summary: "softmax attention over the keys that a list gives for each token",
    source: "arXiv:2512.02556 (2025), equation 2",
    inputs: &[Input::tensor("q"), Input::tensor("k"), Input::tensor("v"), Input::ids("keys")],
    attrs: &[Attr::with("scale", AttrType::Float, AttrDefault::Null)],
    stream_of: Some(1),
    packs: false,
    facts: chosen_facts,
};

fn top_keys_facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (q, k, w) = (call.input("q")?, call.input("k")?, call.input("w")?);
    let n = call.int("n")?;
    let ([batch, queries, index_heads, d], [_, keys, one, d_key]) = (q.shape.as_slice(), k.shape.as_slice()) else {
        return Err(OpError::new(format!("the index takes queries [B, S, heads, d] and keys [B, S, 1, d], not {q} and {k}")).at("q"));
    };
    if !d.same(d_key) || !queries.same(keys) || !one.same(&Poly::int(1)) {
        return Err(OpError::unequal(format!("index queries {q} do not meet keys {k}"), d, d_key).at("k"));
    }
    if w.shape.len() != 3 || !w.last().same(index_heads) {
        return Err(OpError::unequal(format!("the index needs a weight for each of its heads, not {w}"), &w.last(), index_heads).at("w"));
    }
    if n.constant().is_none_or(|n| n <= 0) {
        return Err(OpError::new(format!("a query reads at least one key, not {n}")));
    }
    let pairs = batch * index_heads;
    Ok(Facts {
        outputs: vec![Type { kind: Kind::Ids, shape: vec![batch.clone(), queries.clone(), n.clone()] }],
        params: Vec::new(),
        flops: Flops {
            attention: Some(AttentionFlops {
                per_pair: &(&Poly::int(2) * &pairs) * d,
                elementwise_per_pair: &Poly::int(3) * &pairs,
                queries: queries.clone(),
                keys: keys + &Poly::symbol("past"),
                visibility: Visibility::Causal,
                cached: true,
            }),
            ..Flops::none()
        },
        state: Some(State::Rows { width: d.clone() }),
        form: Form::Source { name: "top_keys", args: vec![Lit::Size(n)] },
    })
}

fn chosen_facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (h, chosen) = (heads(call)?, call.input("keys")?);
    let [_, tokens, n] = chosen.shape.as_slice() else {
        return Err(OpError::new(format!("`keys` are the chosen slots [B, S, n], not {chosen}")).at("keys"));
    };
    if !tokens.same(&h.queries) {
        return Err(OpError::unequal(format!("keys are chosen for {tokens} tokens, not {}", h.queries), tokens, &h.queries).at("keys"));
    }
    let scale = match call.attr("scale") {
        AttrValue::Null => inverse_sqrt(&h.d_k),
        _ => Lit::F32(call.float("scale")?),
    };
    let pairs = &h.batch * &h.heads;
    Ok(Facts {
        outputs: vec![Type::f32(vec![h.batch.clone(), h.queries.clone(), h.heads.clone(), h.d_v.clone()])],
        params: Vec::new(),
        flops: Flops {
            attention: Some(AttentionFlops {
                per_pair: &(&Poly::int(2) * &pairs) * &(&h.d_k + &h.d_v),
                elementwise_per_pair: &Poly::int(5) * &pairs,
                queries: h.queries.clone(),
                keys: &h.keys + &Poly::symbol("past"),
                visibility: Visibility::Chosen(n.clone()),
                cached: true,
            }),
            ..Flops::none()
        },
        state: Some(State::KeyValue { heads: h.kv_heads, d_k: h.d_k, d_v: h.d_v, window: None }),
        form: Form::Source { name: "chosen_attention", args: vec![scale] },
    })
}
