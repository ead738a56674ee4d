//! A short causal convolution of each channel by itself.

use crate::{Attr, AttrDefault, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly, State};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::ShortConv;

pub(crate) static SHORT_CONV: Op = Op {
    name: "short_conv",
    summary: "y[t, c] = Σ_j w[c, j] · x[t - n + 1 + j, c] + b[c] over the last n tokens",
    source: "torch.nn.Conv1d with groups = channels and padding on the left; Poli et al. 2023, arXiv:2302.10866",
    inputs: &[Input::tensor("x")],
    attrs: &[Attr::required("n", AttrType::Int), Attr::with("bias", AttrType::Bool, AttrDefault::Bool(false))],
    stream_of: Some(0),
    packs: false,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (x, n, bias) = (call.input("x")?, call.int("n")?, call.flag("bias"));
    if x.shape.len() != 3 {
        return Err(OpError::new(format!("`short_conv` takes [B, S, d], not {x}")).at("x"));
    }
    if n.constant().is_none_or(|n| n < 2) {
        return Err(OpError::new(format!("a convolution over {n} tokens is none")));
    }
    let channels = x.last();
    let mut params = vec![Param::new("weight", [channels.clone(), Poly::int(1), n.clone()])];
    params.extend(bias.then(|| Param::new("bias", [channels.clone()])));
    Ok(Facts {
        outputs: vec![x.clone()],
        params,
        flops: Flops::product(
            &(&Poly::int(2) * &x.numel()) * &n,
            if bias { x.numel() } else { Poly::zero() },
        ),
        state: Some(State::Recurrent { heads: &n - &Poly::int(1), size: channels.clone() }),
        form: Form::layer("ShortConv", if bias { "short_conv_bias" } else { "short_conv" }, vec![Lit::Size(channels), Lit::Size(n)]),
    })
}
