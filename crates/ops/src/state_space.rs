//! The state space of several heads: a matrix for each head decays by one number a token.

use crate::{Attr, AttrDefault, AttrType, AttrValue, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly, State};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::StateSpace;

/// Tokens that are computed together; the kernel's own number.
pub(crate) const CHUNK: usize = 64;

pub(crate) static STATE_SPACE: Op = Op {
    name: "state_space",
    summary: "M ← e^(Δ·A)·M + Δ·b·xᵀ for each head, y = Mᵀ·c + D·x, with Δ = softplus(dt + dt_bias) between `low` and `high` and A = -e^A_log [H]; G groups of heads share b and c",
    source: "Dao and Gu 2024, arXiv:2405.21060, section 7",
    inputs: &[Input::tensor("x"), Input::tensor("dt"), Input::tensor("b"), Input::tensor("c")],
    attrs: &[
        Attr::with("low", AttrType::Float, AttrDefault::Float(0.0)),
        Attr::with("high", AttrType::Float, AttrDefault::Null),
    ],
    stream_of: Some(0),
    packs: false,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (x, dt, b, c) = (call.input("x")?, call.input("dt")?, call.input("b")?, call.input("c")?);
    let ([batch, tokens, heads, d], [_, _, groups, n]) = (x.shape.as_slice(), b.shape.as_slice()) else {
        let help = "split the heads first: `|> heads(n)`";
        return Err(OpError::new(format!("`state_space` takes [B, S, heads, d], not {x} and {b}")).at("x").help(help));
    };
    if c.shape.len() != 4 || !c.shape[2].same(groups) || !c.last().same(n) {
        return Err(OpError::unequal(format!("what goes in is weighed by {b}, what comes out by {c}"), n, &c.last()).at("c"));
    }
    if heads.constant().zip(groups.constant()).is_some_and(|(h, g)| g <= 0 || h % g != 0) {
        let message = format!("{heads} heads cannot share evenly what {groups} groups hold");
        return Err(OpError::unequal(message, heads, groups).at("b"));
    }
    if dt.shape.len() != 3 || !dt.last().same(heads) {
        let message = format!("`dt` is a number for each of {heads} heads, not {dt}");
        return Err(OpError::unequal(message, &dt.last(), heads).at("dt"));
    }
    let high = match call.attr("high") {
        AttrValue::Null => Lit::Path("f32::INFINITY".into()),
        _ => Lit::F32(call.float("high")?),
    };
    let low = call.float("low")?;
    if let Some(high) = call.attr("high").number().filter(|high| low.value > *high) {
        return Err(OpError::new(format!("the lower bound {} of a step is above the upper bound {high}", low.value)));
    }
    let args = vec![Lit::Size(heads.clone()), Lit::F32(low), high];
    Ok(Facts {
        outputs: vec![x.clone()],
        params: ["A_log", "D", "dt_bias"].map(|name| Param::new(name, [heads.clone()])).into(),
        flops: flops(&(&(batch * tokens) * heads), n, d),
        state: Some(State::Recurrent { heads: heads.clone(), size: n * d }),
        form: Form::layer("StateSpace", "state_space", args),
    })
}

/// The work for `rows` tokens of heads.
fn flops(rows: &Poly, n: &Poly, d: &Poly) -> Flops {
    let times = |factor: i128, x: &Poly| &Poly::int(factor) * x;
    // Before and after the matrix: the step's softplus and decay, Δ·x, D·x and the sum.
    let around = &times(3, d) + &Poly::int(5);
    let chunks = crate::decayed::flops(rows, n, d, CHUNK);
    let chunks = Flops {
        elementwise: &chunks.elementwise + &(rows * &around),
        special: &chunks.special + &times(2, rows),
        ..chunks
    };
    let matrix = &(n * d) * rows;
    let step = Flops {
        matmul: times(2, &matrix),
        elementwise: &times(3, &matrix) + &(rows * &around),
        special: times(3, rows),
        ..Flops::none()
    };
    Flops { decode: Some(Box::new(step)), ..chunks }
}
