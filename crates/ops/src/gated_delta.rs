//! The gated delta rule: a matrix for each head forgets, and corrects what it holds under a key.

use crate::{Attr, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly, State, Type};

#[cfg(feature = "kernels")]
mod features;
#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
mod log_decay;
#[cfg(feature = "kernels")]
pub use features::gated_delta_features;
#[cfg(feature = "kernels")]
pub use kernel::gated_delta;
#[cfg(feature = "kernels")]
pub use log_decay::LogDecay;

/// Tokens that are computed together; the kernel's own number.
pub(crate) const CHUNK: usize = 64;

const NO_ATTRS: &[Attr] = &[];

pub(crate) static GATED_DELTA: Op = Op {
    name: "gated_delta",
    summary: "S ← e^g·S, S ← S + β·k·(v - Sᵀ·k)ᵀ, y = Sᵀ·q/√e for each token, with q and k of unit length; K key heads serve H value heads; g is a number for each head, or for each feature of its key",
    source: "Yang et al. 2024, arXiv:2412.06464; a decay for each feature: Kimi Team 2025, arXiv:2510.26692, section 3",
    inputs: &[
        Input::tensor("q"),
        Input::tensor("k"),
        Input::tensor("v"),
        Input::tensor("log_decay"),
        Input::tensor("beta"),
    ],
    attrs: NO_ATTRS,
    stream_of: Some(1),
    packs: false,
    facts,
};

pub(crate) static LOG_DECAY: Op = Op {
    name: "log_decay",
    summary: "g = -e^A · softplus(x + b) with A for each head: of [B, S, H] a number for each head, of [B, S, H, e] one for each feature",
    source: "Gu and Dao 2023, arXiv:2312.00752; Yang et al. 2024, arXiv:2412.06464",
    inputs: &[Input::tensor("x")],
    attrs: NO_ATTRS,
    stream_of: None,
    packs: true,
    facts: log_decay_facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (q, k, v) = (call.input("q")?, call.input("k")?, call.input("v")?);
    let shapes = (q.shape.as_slice(), k.shape.as_slice(), v.shape.as_slice());
    let ([batch, tokens, key_heads, e], [_, _, k_heads, d_k], [_, _, heads, d]) = shapes else {
        let help = "split the heads first: `|> heads(n)`";
        return Err(OpError::new(format!("`gated_delta` takes [B, S, heads, d], not {q}, {k} and {v}")).at("q").help(help));
    };
    if !e.same(d_k) || !key_heads.same(k_heads) {
        return Err(OpError::unequal(format!("queries {q} meet keys {k}"), e, d_k).at("k"));
    }
    if heads.constant().zip(key_heads.constant()).is_some_and(|(h, k)| k <= 0 || h % k != 0) {
        let message = format!("{heads} value heads cannot be shared evenly among {key_heads} key heads");
        return Err(OpError::unequal(message, heads, key_heads).at("v"));
    }
    let decay = call.input("log_decay")?;
    let by_feature = decay.shape.len() == 4 && decay.shape[2].same(heads) && decay.last().same(e);
    for name in ["log_decay", "beta"] {
        let ty = call.input(name)?;
        if (ty.shape.len() != 3 || !ty.last().same(heads)) && !(by_feature && name == "log_decay") {
            let message = format!("`{name}` is a number for each of {heads} value heads, not {ty}");
            return Err(OpError::unequal(message, &ty.last(), heads).at(name));
        }
    }
    let rows = &(batch * tokens) * heads;
    let matrix = e * d;
    let state = State::Recurrent { heads: heads.clone(), size: matrix.clone() };
    // A chunk of c tokens: k·kᵀ, q·kᵀ and the mixed corrections as products of whole squares, three products with the matrix, and
    // the corrections' triangles outside of products. One token: seven times the matrix, twice its row.
    let c = Poly::int(CHUNK as i128);
    let squares = &(&(&Poly::int(4) * &c) * e) + &(&(&Poly::int(2) * &c) * d);
    let chunks = Flops {
        matmul: &rows * &(&squares + &(&Poly::int(6) * &matrix)),
        elementwise: &rows * &(&(&(&c - &Poly::int(1)) * &(e + d)) + &matrix),
        special: rows.clone(),
        ..Flops::none()
    };
    let step = &rows * &(&(&Poly::int(7) * &matrix) + &(&Poly::int(2) * d));
    // A decay for each feature takes a prompt token by token.
    let flops = if by_feature {
        Flops::pointwise(step, &rows * e)
    } else {
        Flops { decode: Some(Box::new(Flops::pointwise(step, rows))), ..chunks }
    };
    Ok(Facts {
        outputs: vec![Type::f32(vec![batch.clone(), tokens.clone(), heads.clone(), d.clone()])],
        params: Vec::new(),
        flops,
        state: Some(state),
        form: Form::Source { name: if by_feature { "gated_delta_features" } else { "gated_delta" }, args: Vec::new() },
    })
}

fn log_decay_facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    let (heads, width) = match x.shape.as_slice() {
        [_, _, heads, width] => (heads.clone(), width.clone()),
        _ => (x.last(), Poly::int(1)),
    };
    Ok(Facts {
        outputs: vec![x.clone()],
        params: vec![Param::new("A_log", [heads.clone()]), Param::new("dt_bias", [&heads * &width])],
        flops: Flops::pointwise(&Poly::int(3) * &x.numel(), &Poly::int(2) * &x.numel()),
        state: None,
        form: Form::layer("LogDecay", "log_decay", vec![Lit::Size(heads), Lit::Size(width)]),
    })
}
