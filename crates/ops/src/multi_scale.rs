//! Multi-scale attention: groups of heads see windows of different widths in one layer.

use crate::attention::{heads, inverse_sqrt};
use crate::{
    AttentionFlops, Attr, AttrDefault, AttrType, AttrValue, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Poly,
    State, Type, Visibility,
};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::{GroupCache, multi_scale_attention, multi_scale_attention_full};

pub(crate) static MULTI_SCALE_ATTENTION: Op = Op {
    name: "multi_scale_attention",
    summary: "softmax attention where the g-th group of heads sees the last windows[g] keys, or all of them where that is 0",
    source: "Li et al. 2019, arXiv:1912.00544 (one window per head); Sukhbaatar et al. 2019, arXiv:1905.07799",
    inputs: &[Input::tensor("q"), Input::tensor("k"), Input::tensor("v")],
    attrs: &[
        Attr::required("windows", AttrType::IntList),
        Attr::with("causal", AttrType::Bool, AttrDefault::Bool(true)),
        Attr::with("scale", AttrType::Float, AttrDefault::Null),
    ],
    stream_of: Some(1),
    packs: false,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let h = heads(call)?;
    let windows = windows(call)?;
    let groups = Poly::int(i128::try_from(windows.len()).unwrap_or(0));
    let share = |n: &Poly, what: &str| match (n.constant(), groups.constant()) {
        (Some(n), Some(g)) if g > 0 && n % g == 0 => Ok(Poly::int(n / g)),
        _ => Err(OpError::unequal(format!("{n} {what} do not divide into {groups} groups"), n, &groups).at("k")),
    };
    let (queries, keys) = (share(&h.heads, "query heads")?, share(&h.kv_heads, "key/value heads")?);
    let causal = call.flag("causal");
    let scale = match call.attr("scale") {
        AttrValue::Null => inverse_sqrt(&h.d_k),
        _ => Lit::F32(call.float("scale")?),
    };
    let pairs = &h.batch * &queries;
    let past = if causal { Poly::symbol("past") } else { Poly::zero() };
    let sizes = windows.iter().map(|w| Lit::Size(w.clone().unwrap_or_default())).collect();
    let visibility = windows.iter().map(|w| visibility(w.as_ref(), causal)).collect();
    let name = if causal { "multi_scale_attention" } else { "multi_scale_attention_full" };
    Ok(Facts {
        outputs: vec![Type::f32(vec![h.batch.clone(), h.queries.clone(), h.heads.clone(), h.d_v.clone()])],
        params: Vec::new(),
        flops: Flops {
            attention: Some(AttentionFlops {
                per_pair: &(&Poly::int(2) * &pairs) * &(&h.d_k + &h.d_v),
                elementwise_per_pair: &Poly::int(5) * &pairs,
                queries: h.queries.clone(),
                keys: &h.keys + &past,
                visibility: Visibility::Groups(visibility),
                cached: causal,
            }),
            ..Flops::none()
        },
        state: causal.then_some(State::Groups { heads: keys, d_k: h.d_k, d_v: h.d_v, windows }),
        form: Form::Source { name, args: vec![Lit::Slice(sizes), scale] },
    })
}

/// The windows; zero sees everything.
fn windows(call: &Call<'_>) -> Result<Vec<Option<Poly>>, OpError> {
    let AttrValue::List(items) = call.attr("windows") else { return Err(OpError::new("`windows` is not a list")) };
    let window = |item: &AttrValue| match item {
        AttrValue::Int(size) if size.constant() == Some(0) => Ok(None),
        AttrValue::Int(size) if size.constant().is_some_and(|s| s > 0) => Ok(Some(size.clone())),
        _ => Err(OpError::new("a window is a size, or 0 for all keys")),
    };
    match items.as_slice() {
        [] => Err(OpError::new("`windows` needs a window for each group of heads, at least one")),
        items => items.iter().map(window).collect(),
    }
}

fn visibility(window: Option<&Poly>, causal: bool) -> Visibility {
    match (window, causal) {
        (None, true) => Visibility::Causal,
        (None, false) => Visibility::Full,
        (Some(w), true) => Visibility::Window(w.clone()),
        (Some(w), false) => Visibility::Symmetric(w - &Poly::int(1)),
    }
}
