//! Positions that skip padding by its id and start after it.

use crate::{Attr, AttrType, Call, Facts, Flops, Form, Input, Kind, Lit, Op, OpError, Type};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::padded_positions;

pub(crate) static PADDED_POSITIONS: Op = Op {
    name: "padded_positions",
    summary: "p = padding + the number of ids up to here that are not `padding`; where the id is `padding`, p = padding",
    source: "Ott et al. 2019, arXiv:1904.01038 (fairseq), make_positions",
    inputs: &[Input::tokens("tokens")],
    attrs: &[Attr::required("padding", AttrType::Natural)],
    stream_of: None,
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let shape = call.input("tokens")?.shape.clone();
    Ok(Facts {
        outputs: vec![Type { kind: Kind::Ids, shape }],
        params: Vec::new(),
        flops: Flops::none(),
        state: None,
        form: Form::Source { name: "padded_positions", args: vec![Lit::Size(call.int("padding")?)] },
    })
}
