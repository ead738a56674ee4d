//! Sparse attention: each query sees the keys of a fixed pattern, and only those are ever read.

use crate::attention::{heads, inverse_sqrt};
use crate::{
    AttentionFlops, Attr, AttrDefault, AttrType, AttrValue, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Pattern,
    Poly, State, Type, Visibility,
};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::{sparse_attention, sparse_attention_full};

pub(crate) static SPARSE_ATTENTION: Op = Op {
    name: "sparse_attention",
    summary: "softmax attention over the keys of a pattern: strided columns, or blocks that are near, leading or picked by a seed",
    source: "strided: Child et al. 2019, arXiv:1904.10509; blocks: Zaheer et al. 2020, arXiv:2007.14062",
    inputs: &[Input::tensor("q"), Input::tensor("k"), Input::tensor("v")],
    attrs: &[
        Attr::required("pattern", AttrType::Declared("sparse_pattern")),
        Attr::with("causal", AttrType::Bool, AttrDefault::Bool(true)),
        Attr::with("scale", AttrType::Float, AttrDefault::Null),
    ],
    stream_of: Some(1),
    packs: false,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let h = heads(call)?;
    let causal = call.flag("causal");
    let (pattern, literal) = pattern(call.attr("pattern"), causal)?;
    let past = if causal { Poly::symbol("past") } else { Poly::zero() };
    let scale = match call.attr("scale") {
        AttrValue::Null => inverse_sqrt(&h.d_k),
        _ => Lit::F32(call.float("scale")?),
    };
    let pairs = &h.batch * &h.heads;
    let name = if causal { "sparse_attention" } else { "sparse_attention_full" };
    Ok(Facts {
        outputs: vec![Type::f32(vec![h.batch.clone(), h.queries.clone(), h.heads.clone(), h.d_v.clone()])],
        params: Vec::new(),
        flops: Flops {
            attention: Some(AttentionFlops {
                per_pair: &(&Poly::int(2) * &pairs) * &(&h.d_k + &h.d_v),
                elementwise_per_pair: &Poly::int(5) * &pairs,
                queries: h.queries.clone(),
                keys: &h.keys + &past,
                visibility: Visibility::Sparse(pattern),
                cached: causal,
            }),
            ..Flops::none()
        },
        state: causal.then_some(State::KeyValue { heads: h.kv_heads, d_k: h.d_k, d_v: h.d_v, window: None }),
        form: Form::Source { name, args: vec![literal, scale] },
    })
}

/// The pattern, and how generated code writes it.
fn pattern(value: &AttrValue, causal: bool) -> Result<(Pattern, Lit), OpError> {
    let AttrValue::Variant(name, _) = value else { return Err(OpError::new("`pattern` is not a pattern")) };
    let size = |field: &str, least: i128| match value.field(field) {
        Some(AttrValue::Int(size)) => match size.constant().map(|n| (n, usize::try_from(n))) {
            Some((n, Ok(exact))) if n >= least => Ok((exact, Lit::Size(size.clone()))),
            _ => Err(OpError::new(format!("`{field}` of pattern `{name}` must be at least {least}, not {size}"))),
        },
        _ => Err(OpError::new(format!("pattern `{name}` needs `{field}`"))),
    };
    if name == "local" {
        return Err(OpError::new("a local window alone is no pattern").help("`attention(.., mask: window(size: ..))`"));
    }
    if name == "strided" {
        let (stride, literal) = size("stride", 1)?;
        let fields = vec![("stride", literal), ("causal", Lit::Bool(causal))];
        return Ok((Pattern::Strided { stride, causal }, Lit::Struct("Pattern::Strided".into(), fields)));
    }
    if name == "bordered" {
        if causal {
            return Err(OpError::new("pattern `bordered` sees later keys").help("`causal: false`"));
        }
        let ((block, size_lit), (stand_ins, literal)) = (size("size", 1)?, size("stand_ins", 0)?);
        let fields = vec![("size", size_lit), ("stand_ins", literal)];
        return Ok((Pattern::Bordered { size: block, stand_ins }, Lit::Struct("Pattern::Bordered".into(), fields)));
    }
    let ((block, size_lit), (local, local_lit)) = (size("size", 1)?, size("local", 0)?);
    let ((global, global_lit), (random, random_lit)) = (size("global", 0)?, size("random", 0)?);
    let (seed, seed_lit) = size("seed", 0)?;
    let pattern = Pattern::Blocks { size: block, local, global, random, seed, causal };
    let fields = vec![
        ("size", size_lit),
        ("local", local_lit),
        ("global", global_lit),
        ("random", random_lit),
        ("seed", seed_lit),
        ("causal", Lit::Bool(causal)),
    ];
    Ok((pattern, Lit::Struct("Pattern::Blocks".into(), fields)))
}
