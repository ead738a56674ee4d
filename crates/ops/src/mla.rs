//! Multi-head latent attention: keys and values of all heads come from one narrow latent, which is all that is kept.
//!
//! With `W` cut into `W_k` and `W_v` for each head, `k_h = [W_k,h·c | r]` and `v_h = W_v,h·c`. Two ways to decode give the same
//! numbers: `expanded` computes the keys and values of all positions again in each step, `absorbed` moves the matrices to the query
//! and the result, `q·W_k·c = (W_kᵀ·q)·c` and `Σ p·W_v·c = W_v·Σ p·c`, and attends in the latent itself. A step of several
//! tokens is always expanded, which is cheaper there.

use crate::attention::inverse_sqrt;
use crate::{
    AttentionFlops, Attr, AttrDefault, AttrType, AttrValue, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param,
    Poly, State, Type, Visibility,
};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::{Mla, LatentDecoding};

pub(crate) static MLA: Op = Op {
    name: "mla",
    summary: "causal attention with k = [W_k·c | r] and v = W_v·c for each head; c and r are kept, r is the same in all heads",
    source: "arXiv:2405.04434 (2024), section 2.1",
    inputs: &[Input::tensor("q"), Input::tensor("latent"), Input::tensor("rope")],
    attrs: &[
        Attr::required("d_v", AttrType::Int),
        Attr::with("scale", AttrType::Float, AttrDefault::Null),
        Attr::required("decoding", AttrType::Declared("latent_decoding")),
    ],
    stream_of: Some(1),
    packs: false,
    facts,
};

pub(crate) struct Sizes {
    batch: Poly,
    pub(crate) queries: Poly,
    heads: Poly,
    /// Width of a key that comes from the latent.
    d_nope: Poly,
    latent: Poly,
    rope: Poly,
    d_v: Poly,
}

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    latent_facts(call, sizes(call)?, Visibility::Causal, "Mla", "mla")
}

/// The facts of latent attention to the keys that are `seen`, loaded by `load` as a `ty`.
pub(crate) fn latent_facts(
    call: &Call<'_>,
    it: Sizes,
    seen: Visibility,
    ty: &'static str,
    load: &'static str,
) -> Result<Facts, OpError> {
    let mut flops = it.expanded(seen.clone());
    flops.decode = absorbed(call).then(|| Box::new(it.absorbed(seen)));
    Ok(Facts {
        form: Form::layer(ty, load, arguments(call, &it)?),
        params: vec![Param::new("weight", [&it.heads * &(&it.d_nope + &it.d_v), it.latent.clone()])],
        state: Some(State::Rows { width: &it.latent + &it.rope }),
        outputs: vec![Type::f32(vec![it.batch, it.queries, it.heads, it.d_v])],
        flops,
    })
}

/// Whether a step of one token attends in the latent.
fn absorbed(call: &Call<'_>) -> bool {
    matches!(call.attr("decoding"), AttrValue::Variant(name, _) if name == "absorbed")
}

/// The loader's arguments.
fn arguments(call: &Call<'_>, it: &Sizes) -> Result<Vec<Lit>, OpError> {
    let scale = match call.attr("scale") {
        AttrValue::Null => inverse_sqrt(&(&it.d_nope + &it.rope)),
        _ => Lit::F32(call.float("scale")?),
    };
    let decoding = if absorbed(call) { "LatentDecoding::Absorbed" } else { "LatentDecoding::Expanded" };
    let sizes = [&it.latent, &it.heads, &it.d_nope, &it.d_v].map(|p| Lit::Size(p.clone()));
    Ok(sizes.into_iter().chain([scale, Lit::Path(decoding.into())]).collect())
}

impl Sizes {
    fn expanded(&self, seen: Visibility) -> Flops {
        let keys = &self.queries + &Poly::symbol("past");
        let width = &self.d_nope + &self.d_v;
        let product = &(&self.batch * &keys) * &(&self.latent * &(&self.heads * &width));
        self.flops(product, &(&width + &self.rope), seen)
    }

    fn absorbed(&self, seen: Visibility) -> Flops {
        let width = &self.heads * &(&self.d_nope + &self.d_v);
        let product = &(&self.batch * &self.queries) * &(&self.latent * &width);
        self.flops(product, &(&(&Poly::int(2) * &self.latent) + &self.rope), seen)
    }

    fn flops(&self, product: Poly, per_pair: &Poly, visibility: Visibility) -> Flops {
        let pairs = &self.batch * &self.heads;
        Flops {
            matmul: &Poly::int(2) * &product,
            attention: Some(AttentionFlops {
                per_pair: &(&Poly::int(2) * &pairs) * per_pair,
                elementwise_per_pair: &Poly::int(5) * &pairs,
                queries: self.queries.clone(),
                keys: &self.queries + &Poly::symbol("past"),
                visibility,
                cached: true,
            }),
            ..Flops::none()
        }
    }
}

pub(crate) fn sizes(call: &Call<'_>) -> Result<Sizes, OpError> {
    let (q, latent, rope) = (call.input("q")?, call.input("latent")?, call.input("rope")?);
    let [batch, queries, heads, d_q] = q.shape.as_slice() else {
        let help = "split the heads first: `|> heads(n)`";
        return Err(OpError::new(format!("`q` must be [B, S, heads, d_head], not {q}")).at("q").help(help));
    };
    let ([_, keys, d_latent], [_, rotated, one, d_rope]) = (latent.shape.as_slice(), rope.shape.as_slice()) else {
        return Err(OpError::new(format!("the latent is [B, S, c] and its rotated part [B, S, 1, r], not {latent} and {rope}")).at("latent"));
    };
    if !keys.same(queries) || !rotated.same(queries) || !one.same(&Poly::int(1)) {
        return Err(OpError::new(format!("queries {q}, latent {latent} and rotated part {rope} do not belong together")).at("rope"));
    }
    let d_nope = d_q - d_rope;
    if d_nope.constant().is_some_and(|d| d < 0) {
        let message = format!("a query of width {d_q} has no rotated part of width {d_rope}");
        return Err(OpError::unequal(message, d_q, d_rope).at("q"));
    }
    Ok(Sizes {
        batch: batch.clone(),
        queries: queries.clone(),
        heads: heads.clone(),
        d_nope,
        latent: d_latent.clone(),
        rope: d_rope.clone(),
        d_v: call.int("d_v")?,
    })
}
