//! Positions of a token stream, as ids and as sinusoids.

use crate::{Attr, AttrDefault, AttrType, Call, Facts, Flops, Form, Input, Kind, Lit, Op, OpError, Type};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::{SinusoidalLayout, offset_positions, sinusoidal};

pub(crate) static POSITIONS: Op = Op {
    name: "positions",
    summary: "position of each token in its sequence, counted from `offset`; padding does not count",
    source: "Vaswani et al. 2017, section 3.5",
    inputs: &[Input::tokens("tokens")],
    attrs: &[Attr::with("offset", AttrType::Natural, AttrDefault::Int(0))],
    stream_of: None,
    packs: true,
    facts: positions_facts,
};

pub(crate) static SINUSOIDAL: Op = Op {
    name: "sinusoidal",
    summary: "y[p] = [sin(p·f), cos(p·f)], f_i = theta^(-i/n) for i < d/2; n = d/2, or d/2 - 1 if the last frequency is to be 1/theta (`closed`); `interleaved`: sine and cosine in turn",
    source: "Vaswani et al. 2017, section 3.5, the halves concatenated; closed: tensor2tensor, get_timing_signal_1d",
    inputs: &[Input::ids("positions")],
    attrs: &[
        Attr::required("d", AttrType::Int),
        Attr::with("theta", AttrType::Float, AttrDefault::Float(10000.0)),
        Attr::with("closed", AttrType::Bool, AttrDefault::Bool(false)),
        Attr::with("interleaved", AttrType::Bool, AttrDefault::Bool(false)),
    ],
    stream_of: None,
    packs: true,
    facts: sinusoidal_facts,
};

fn positions_facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let shape = call.input("tokens")?.shape.clone();
    let offset = call.int("offset")?;
    let form = if offset.is_zero() {
        Form::StreamField { name: "positions" }
    } else {
        Form::Source { name: "offset_positions", args: vec![Lit::Size(offset)] }
    };
    Ok(Facts {
        outputs: vec![Type { kind: Kind::Ids, shape }],
        params: Vec::new(),
        flops: Flops::none(),
        state: None,
        form,
    })
}

fn sinusoidal_facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let d = call.int("d")?;
    if d.constant().is_some_and(|d| d % 2 != 0) {
        return Err(OpError::size("sinusoidal positions need an even width", &d));
    }
    let mut shape = call.input("positions")?.shape.clone();
    shape.push(d.clone());
    let output = Type::f32(shape);
    let layout = match (call.flag("closed"), call.flag("interleaved")) {
        (false, false) => "SinusoidalLayout::Halves",
        (true, false) => "SinusoidalLayout::ClosedHalves",
        (false, true) => "SinusoidalLayout::Interleaved",
        (true, true) => return Err(OpError::new("sinusoids are closed or interleaved, not both")),
    };
    Ok(Facts {
        flops: Flops::pointwise(output.numel(), output.numel()),
        outputs: vec![output],
        params: Vec::new(),
        state: None,
        form: Form::Source { name: "sinusoidal", args: vec![Lit::Size(d), Lit::F64(call.float("theta")?), Lit::Path(layout.into())] },
    })
}
