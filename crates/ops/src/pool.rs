//! One vector of each sequence.

use crate::{Call, Facts, Flops, Form, Input, Op, OpError, Poly, Type};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::{first_token, last_token, mean_token};

pub(crate) static FIRST_TOKEN: Op = Op {
    name: "first_token",
    summary: "[B, S, d] to [B, d], the state of each sequence's first token",
    source: "Devlin et al. 2018, arXiv:1810.04805, section 3",
    inputs: &[Input::tensor("x")],
    attrs: &[],
    stream_of: Some(0),
    packs: true,
    facts: |call| {
        let [batch, _, d] = states(call, "first_token")?;
        Ok(facts("first_token", vec![batch.clone(), d.clone()], Flops::none()))
    },
};

pub(crate) static MEAN_TOKEN: Op = Op {
    name: "mean_token",
    summary: "[B, S, d] to [B, d], the mean over each sequence's tokens without padding",
    source: "Reimers and Gurevych 2019, arXiv:1908.10084, section 3",
    inputs: &[Input::tensor("x"), Input::tokens("tokens")],
    attrs: &[],
    stream_of: None,
    packs: true,
    facts: |call| pooled(call, "mean_token", true),
};

pub(crate) static LAST_TOKEN: Op = Op {
    name: "last_token",
    summary: "[B, S, d] to [B, d], the state of each sequence's last token that is no padding",
    source: "Radford et al. 2018, \"Improving Language Understanding by Generative Pre-Training\", section 3.2",
    inputs: &[Input::tensor("x"), Input::tokens("tokens")],
    attrs: &[],
    stream_of: None,
    packs: true,
    facts: |call| pooled(call, "last_token", false),
};

/// The axes of `x`.
fn states<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a [Poly; 3], OpError> {
    let x = call.input("x")?;
    let axes = x.shape.as_slice().try_into();
    axes.map_err(|_| OpError::new(format!("`{name}` takes [B, S, d], not {x}")).at("x"))
}

fn pooled(call: &Call<'_>, name: &'static str, sums: bool) -> Result<Facts, OpError> {
    let ([batch, length, d], x, tokens) = (states(call, name)?, call.input("x")?, call.input("tokens")?);
    if !tokens.shape.iter().zip([batch, length]).all(|(a, b)| a.same(b)) {
        return Err(OpError::new(format!("{x} are not states of {tokens}")).at("x"));
    }
    let flops = if sums { Flops::pointwise(x.numel(), Poly::zero()) } else { Flops::none() };
    Ok(facts(name, vec![batch.clone(), d.clone()], flops))
}

fn facts(name: &'static str, shape: Vec<Poly>, flops: Flops) -> Facts {
    let form = Form::Source { name, args: Vec::new() };
    Facts { outputs: vec![Type::f32(shape)], params: Vec::new(), flops, state: None, form }
}
