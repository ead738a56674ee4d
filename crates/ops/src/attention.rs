//! Scaled dot-product attention with grouped heads.

use crate::rope::rotate;
use crate::{
    AttentionFlops, Attr, AttrDefault, AttrType, AttrValue, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Poly,
    State, Type, Visibility,
};

#[cfg(feature = "kernels")]
mod alibi;
#[cfg(feature = "kernels")]
mod appended;
#[cfg(feature = "kernels")]
mod block;
#[cfg(feature = "kernels")]
mod by_distance;
#[cfg(feature = "kernels")]
pub(crate) mod call;
#[cfg(feature = "kernels")]
mod codes;
#[cfg(feature = "kernels")]
mod distances;
#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub(crate) mod kv_cache;
#[cfg(feature = "kernels")]
pub(crate) mod listed;
#[cfg(feature = "kernels")]
mod mask;
#[cfg(feature = "kernels")]
mod merge;
#[cfg(feature = "kernels")]
mod rotated;
#[cfg(feature = "kernels")]
pub(crate) mod row;
#[cfg(feature = "kernels")]
pub(crate) mod slots;
#[cfg(feature = "kernels")]
mod strips;
mod tables;
#[cfg(feature = "kernels")]
mod tiles;
#[cfg(feature = "kernels")]
pub use distances::Distances;
#[cfg(feature = "kernels")]
pub use kernel::Attention;
#[cfg(feature = "kernels")]
pub use kv_cache::KvCache;
#[cfg(feature = "kernels")]
pub use mask::Mask;
#[cfg(feature = "kernels")]
pub use rotated::Rotated;

pub(crate) static ATTENTION: Op = Op {
    name: "attention",
    summary: "y = softmax(scale · (q·kᵀ + q_i · content_to_position[r] + k_j · position_to_content[r]) + bias[h, j - i + S - 1] - alibi · slope · |i - j|, over visible keys and the head's sink) · v; r is the row of the distance i - j, as `distances` says; H query heads share K key/value heads; queries and keys rotate first where `rope` says how",
    source: "Vaswani et al. 2017, section 3.2.1; Ainslie et al. 2023, arXiv:2305.13245; ALiBi: Press et al. 2021, arXiv:2108.12409; distances: He et al. 2020, arXiv:2006.03654, section 3.1",
    inputs: &[
        Input::tensor("q"),
        Input::tensor("k"),
        Input::tensor("v"),
        Input::optional("bias"),
        Input::optional("sinks"),
        Input::optional(tables::NAMES[0]),
        Input::optional(tables::NAMES[1]),
    ],
    attrs: &[
        Attr::required("mask", AttrType::Declared("mask")),
        Attr::with("scale", AttrType::Float, AttrDefault::Null),
        Attr::with("softcap", AttrType::Float, AttrDefault::Null),
        Attr::with("alibi", AttrType::Float, AttrDefault::Null),
        Attr::with("rope", AttrType::Declared("rope_config"), AttrDefault::Null),
        Attr::with("distances", AttrType::Declared("distance_rows"), AttrDefault::Null),
    ],
    stream_of: Some(1),
    packs: true,
    facts,
};

pub(crate) struct Heads {
    pub(crate) batch: Poly,
    pub(crate) queries: Poly,
    pub(crate) keys: Poly,
    pub(crate) heads: Poly,
    pub(crate) kv_heads: Poly,
    pub(crate) d_k: Poly,
    pub(crate) d_v: Poly,
}

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let h = heads(call)?;
    let visibility = visibility(call.attr("mask"))?;
    let cached = matches!(visibility, Visibility::Causal | Visibility::Window(_) | Visibility::Chunked(_));
    let past = if cached { Poly::symbol("past") } else { Poly::zero() };
    if let Some(bias) = call.optional_input("bias") {
        check_bias(bias, &h, &past)?;
    }
    if let Some(sinks) = call.optional_input("sinks") {
        check_sinks(sinks, &h)?;
    }
    let scale = match call.attr("scale") {
        AttrValue::Null => inverse_sqrt(&h.d_k),
        _ => Lit::F32(call.float("scale")?),
    };
    let number = |name| match call.attr(name) {
        AttrValue::Null => Ok(None),
        _ => call.float(name).map(|float| Some(Lit::F32(float))),
    };
    let (softcap, alibi) = (number("softcap")?, number("alibi")?);
    let extra = if softcap.is_some() { 3 } else { 0 } + if alibi.is_some() { 2 } else { 0 };
    let (turned, rope) = match call.attr("rope") {
        AttrValue::Null => (Poly::zero(), None),
        config => rotation(call, &h, config).map(|(work, constant)| (work, Some(constant)))?,
    };
    let tables = tables::tables(call, &h, cached)?;
    let window = match &visibility {
        Visibility::Window(w) => Some(w.clone()),
        _ => None,
    };
    let pairs = &h.batch * &h.heads;
    Ok(Facts {
        outputs: vec![Type::f32(vec![h.batch.clone(), h.queries.clone(), h.heads.clone(), h.d_v.clone()])],
        params: Vec::new(),
        flops: Flops {
            attention: Some(AttentionFlops {
                per_pair: &(&Poly::int(2) * &pairs) * &(&h.d_k + &h.d_v),
                elementwise_per_pair: &Poly::int(5 + extra + tables.count) * &pairs,
                queries: h.queries.clone(),
                keys: &h.keys + &past,
                visibility: visibility.clone(),
                cached,
            }),
            ..Flops::product(tables.products, turned)
        },
        state: cached.then_some(State::KeyValue { heads: h.kv_heads, d_k: h.d_k, d_v: h.d_v, window }),
        form: Form::Attention { mask: mask(&visibility), scale, softcap, alibi, rope, distances: tables.distances, cached },
    })
}

pub(crate) fn heads(call: &Call<'_>) -> Result<Heads, OpError> {
    let dims = |name: &'static str| -> Result<[Poly; 4], OpError> {
        let ty = call.input(name)?;
        ty.shape.clone().try_into().map_err(|_| {
            OpError::new(format!("`{name}` must be [B, S, heads, d_head], not {ty}"))
                .at(name)
                .help("split the heads first: `|> heads(n)`")
        })
    };
    let [batch, queries, heads, d_k] = dims("q")?;
    let [_, keys, kv_heads, k_width] = dims("k")?;
    let [_, values, v_heads, d_v] = dims("v")?;
    if !d_k.same(&k_width) {
        return Err(OpError::unequal(format!("queries of width {d_k} meet keys of width {k_width}"), &d_k, &k_width).at("k"));
    }
    if !kv_heads.same(&v_heads) || !keys.same(&values) {
        let message = format!("keys [{keys}, {kv_heads}] and values [{values}, {v_heads}] do not belong together");
        return Err(OpError::unequal(message, &kv_heads, &v_heads).at("v"));
    }
    if let (Some(q), Some(kv)) = (heads.constant(), kv_heads.constant())
        && (kv <= 0 || q % kv != 0) {
            let message = format!("{q} query heads cannot be shared evenly among {kv} key/value heads");
            return Err(OpError::indivisible(message, &heads, &kv_heads).at("k"));
        }
    Ok(Heads { batch, queries, keys, heads, kv_heads, d_k, d_v })
}

/// The work of rotating queries and keys, and the constant that says how.
fn rotation(call: &Call<'_>, h: &Heads, config: &AttrValue) -> Result<(Poly, Lit), OpError> {
    if !h.queries.same(&h.keys) {
        let message = format!("{} queries and {} keys are not of the same tokens, whose positions rotate them", h.queries, h.keys);
        return Err(OpError::unequal(message, &h.queries, &h.keys).at("k"));
    }
    let [(of_queries, constant), (of_keys, _)] = [rotate(call, "q", config)?, rotate(call, "k", config)?];
    Ok((&of_queries + &of_keys, constant))
}

/// A bias is one number for each head and distance, the same for all sequences.
fn check_bias(bias: &Type, h: &Heads, past: &Poly) -> Result<(), OpError> {
    let distances = &(&(&h.queries + &h.keys) + past) - &Poly::int(1);
    let expected = Type::f32(vec![h.heads.clone(), distances]);
    match bias.same(&expected) {
        true => Ok(()),
        false => Err(OpError::new(format!("the bias is {bias}, the heads and distances from queries to keys are {expected}")).at("bias")),
    }
}

fn check_sinks(sinks: &Type, h: &Heads) -> Result<(), OpError> {
    match sinks.shape.as_slice() {
        [n] if n.same(&h.heads) => Ok(()),
        [n] => Err(OpError::unequal(format!("{n} sinks for {} query heads", h.heads), n, &h.heads).at("sinks")),
        _ => Err(OpError::new(format!("sinks are one number for each query head, not {sinks}")).at("sinks")),
    }
}

/// The value of `mask`, an enum of the standard library.
fn visibility(mask: &AttrValue) -> Result<Visibility, OpError> {
    let AttrValue::Variant(name, _) = mask else {
        return Err(OpError::new("`mask` is not a mask"));
    };
    let size = |field: &str| match mask.field(field) {
        Some(AttrValue::Int(size)) if size.constant().is_some_and(|s| s > 0) => Ok(size.clone()),
        Some(AttrValue::Int(size)) => {
            Err(OpError::size(format!("`{field}` of mask `{name}` must be a positive size"), size))
        }
        _ => Err(OpError::new(format!("`{field}` of mask `{name}` must be a size"))),
    };
    match name.as_str() {
        "full" => Ok(Visibility::Full),
        "causal" => Ok(Visibility::Causal),
        "window" => Ok(Visibility::Window(size("size")?)),
        "symmetric" => Ok(Visibility::Symmetric(size("half")?)),
        "chunked" => Ok(Visibility::Chunked(size("size")?)),
        "prefix" => Ok(Visibility::Prefix(size("size")?)),
        _ => Err(OpError::new(format!("mask `{name}` has no kernel"))),
    }
}

fn mask(visibility: &Visibility) -> Lit {
    let apply = |name: &str, size: &Poly| Lit::Apply(format!("Mask::{name}"), vec![Lit::Size(size.clone())]);
    match visibility {
        Visibility::Full => Lit::Path("Mask::Full".into()),
        // The last three are other ops' own and never come from a mask.
        Visibility::Causal | Visibility::Sparse(_) | Visibility::Chosen(_) | Visibility::Groups(_) => Lit::Path("Mask::Causal".into()),
        Visibility::Window(w) => apply("SlidingWindow", w),
        Visibility::Symmetric(w) => apply("SymmetricWindow", w),
        Visibility::Chunked(c) => apply("Chunked", c),
        Visibility::Prefix(n) => apply("Prefix", n),
    }
}

pub(crate) fn inverse_sqrt(d: &Poly) -> Lit {
    #[expect(clippy::cast_precision_loss, reason = "a head is narrower than 2^53")]
    let value = d.constant().map_or(1.0, |d| 1.0 / (d as f64).sqrt());
    Lit::Constant {
        name: "ATTENTION_SCALE",
        ty: "f32",
        doc: format!("Factor on the attention scores, 1/sqrt({d})."),
        value: Box::new(Lit::f32(value)),
    }
}
