//! The selective scan: every channel keeps a few numbers that decay and grow as the input decides.

use crate::{Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly, State};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::SelectiveScan;

pub(crate) static SELECTIVE_SCAN: Op = Op {
    name: "selective_scan",
    summary: "h ← e^(Δ·A)·h + Δ·x·b for each channel, y = c·h + D·x, with Δ = softplus(dt) and A = -e^A_log [d, n]",
    source: "Gu and Dao 2023, arXiv:2312.00752, algorithm 2",
    inputs: &[Input::tensor("x"), Input::tensor("dt"), Input::tensor("b"), Input::tensor("c")],
    attrs: &[],
    stream_of: Some(0),
    packs: false,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (x, dt, b, c) = (call.input("x")?, call.input("dt")?, call.input("b")?, call.input("c")?);
    if x.shape.len() != 3 {
        return Err(OpError::new(format!("`selective_scan` takes [B, S, d], not {x}")).at("x"));
    }
    let (d, n) = (x.last(), b.last());
    if dt.shape.len() != 3 || !dt.last().same(&d) {
        return Err(OpError::unequal(format!("steps {dt} meet channels {x}"), &dt.last(), &d).at("dt"));
    }
    if b.shape.len() != 3 || c.shape.len() != 3 || !c.last().same(&n) {
        return Err(OpError::unequal(format!("what goes in is weighed by {b}, what comes out by {c}"), &n, &c.last()).at("c"));
    }
    let (channels, numbers) = (x.numel(), &x.numel() * &n);
    // A number: Δ·A, its power, the decay, Δx·b and the sum; then c·h. A channel: the softplus, Δ·x, D·x and the sum.
    let flops = Flops {
        matmul: &Poly::int(2) * &numbers,
        elementwise: &(&Poly::int(4) * &numbers) + &(&Poly::int(5) * &channels),
        special: &numbers + &(&Poly::int(2) * &channels),
        ..Flops::none()
    };
    Ok(Facts {
        outputs: vec![x.clone()],
        params: vec![Param::new("A_log", [d.clone(), n.clone()]), Param::new("D", [d.clone()])],
        flops,
        state: Some(State::Recurrent { heads: d.clone(), size: n.clone() }),
        form: Form::layer("SelectiveScan", "selective_scan", vec![Lit::Size(d), Lit::Size(n)]),
    })
}
