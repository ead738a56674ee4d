//! Linear attention that forgets: earlier keys count less, at a rate that is fixed for each head.

use crate::attention::heads;
use crate::{Attr, AttrType, Call, Facts, Form, Input, Lit, Op, OpError, State, Type};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::decayed_attention;

/// Tokens that are computed together; the kernel's own number.
pub(crate) const CHUNK: usize = 64;

pub(crate) static DECAYED_ATTENTION: Op = Op {
    name: "decayed_attention",
    summary: "y_i = Σ_(j≤i) e^(-r·(i-j))·(q_i·k_j)·v_j with r = factor·2^(-8·(h+1)/H) for head h of H; without softmax and scale",
    source: "Qin et al. 2024, arXiv:2401.04658; arXiv:2501.08313, section 2.2",
    inputs: &[Input::tensor("q"), Input::tensor("k"), Input::tensor("v")],
    attrs: &[Attr::required("factor", AttrType::Float)],
    stream_of: Some(1),
    packs: false,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let h = heads(call)?;
    if !h.heads.same(&h.kv_heads) {
        let message = format!("{} query heads meet {} key heads", h.heads, h.kv_heads);
        return Err(OpError::unequal(message, &h.heads, &h.kv_heads).at("k"));
    }
    let rows = &(&h.batch * &h.queries) * &h.heads;
    Ok(Facts {
        flops: crate::decayed::flops(&rows, &h.d_k, &h.d_v, CHUNK),
        state: Some(State::Recurrent { heads: h.heads.clone(), size: &h.d_k * &h.d_v }),
        outputs: vec![Type::f32(vec![h.batch, h.queries, h.heads, h.d_v])],
        params: Vec::new(),
        form: Form::Source { name: "decayed_attention", args: vec![Lit::F32(call.float("factor")?)] },
    })
}
