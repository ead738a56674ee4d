//! Elementwise nonlinearities.

use crate::{Attr, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Poly};

#[cfg(feature = "kernels")]
mod gated;
#[cfg(feature = "kernels")]
pub(crate) mod kernel;
#[cfg(feature = "kernels")]
mod softcap;
#[cfg(feature = "kernels")]
pub use gated::{Gate, gated_gelu, gated_gelu_tanh, gated_relu, gated_sigmoid, gated_silu};
#[cfg(feature = "kernels")]
pub use kernel::{gelu, gelu_quick, gelu_tanh, relu, relu2, sigmoid, silu, tanh};
#[cfg(feature = "kernels")]
pub use softcap::softcap;

/// Elementwise and special FLOPs of each element.
fn pointwise(call: &Call<'_>, name: &'static str, plain: i128, special: i128, args: Vec<Lit>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    let n = x.numel();
    Ok(Facts {
        outputs: vec![x.clone()],
        params: Vec::new(),
        flops: Flops::pointwise(&Poly::int(plain) * &n, &Poly::int(special) * &n),
        state: None,
        form: Form::Function { name, args },
    })
}

macro_rules! activations {
    ($($id:ident $name:literal, $summary:literal, $source:literal, $plain:literal + $special:literal;)*) => {$(
        pub(crate) static $id: Op = Op {
            name: $name,
            summary: $summary,
            source: $source,
            inputs: &[Input::tensor("x")],
            attrs: &[],
            stream_of: None,
            packs: true,
            facts: |call| pointwise(call, $name, $plain, $special, Vec::new()),
        };
    )*};
}

activations! {
    RELU "relu", "y = max(x, 0)", "Nair and Hinton 2010", 1 + 0;
    RELU2 "relu2", "y = max(x, 0)²", "So et al. 2021, arXiv:2109.08668", 2 + 0;
    GELU "gelu", "y = x/2 · (1 + erf(x/√2))", "Hendrycks and Gimpel 2016, arXiv:1606.08415", 4 + 1;
    GELU_TANH "gelu_tanh", "y = x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))", "Hendrycks and Gimpel 2016, arXiv:1606.08415", 8 + 1;
    GELU_QUICK "gelu_quick", "y = x · sigmoid(1.702·x)", "Hendrycks and Gimpel 2016, arXiv:1606.08415", 2 + 1;
    SILU "silu", "y = x · sigmoid(x)", "Elfwing et al. 2017, arXiv:1702.03118", 1 + 1;
    SIGMOID "sigmoid", "y = 1 / (1 + exp(-x))", "torch.sigmoid", 0 + 1;
    TANH "tanh", "y = tanh(x)", "torch.tanh", 0 + 1;
}

pub(crate) static SOFTCAP: Op = Op {
    name: "softcap",
    summary: "y = cap · tanh(x / cap)",
    source: "arXiv:2408.00118, section 2; Bello et al. 2016, arXiv:1611.09940",
    inputs: &[Input::tensor("x")],
    attrs: &[Attr::required("cap", AttrType::Float)],
    stream_of: None,
    packs: true,
    facts: |call| {
        let cap = call.float("cap")?;
        pointwise(call, "softcap", 2, 1, vec![Lit::F32(cap)])
    },
};

macro_rules! gated {
    ($($id:ident $gate:ident $name:literal, $summary:literal, $plain:literal + $special:literal;)*) => {
        /// The variant of `Gate` that a gated activation is, in generated code.
        pub fn gate(op: &Op) -> Option<&'static str> {
            match op.name {
                $($name => Some(concat!("Gate::", stringify!($gate))),)*
                _ => None,
            }
        }

        $(pub(crate) static $id: Op = Op {
            name: $name,
            summary: $summary,
            source: "Shazeer 2020, arXiv:2002.05202",
            inputs: &[Input::tensor("gate"), Input::tensor("up")],
            attrs: &[],
            stream_of: None,
            packs: true,
            facts: |call| gated(call, $name, $plain, $special),
        };)*
    };
}

gated! {
    GATED_RELU Relu "gated_relu", "y = relu(gate) · up", 2 + 0;
    GATED_GELU Gelu "gated_gelu", "y = gelu(gate) · up", 5 + 1;
    GATED_GELU_TANH GeluTanh "gated_gelu_tanh", "y = gelu_tanh(gate) · up", 9 + 1;
    GATED_SILU Silu "gated_silu", "y = silu(gate) · up", 2 + 1;
    GATED_SIGMOID Sigmoid "gated_sigmoid", "y = sigmoid(gate) · up", 1 + 1;
}

fn gated(call: &Call<'_>, name: &'static str, plain: i128, special: i128) -> Result<Facts, OpError> {
    let (gate, up) = (call.input("gate")?, call.input("up")?);
    let same = gate.shape.len() == up.shape.len() && gate.shape.iter().zip(&up.shape).all(|(a, b)| a.same(b));
    if !same {
        return Err(OpError::unequal(format!("the gate is {gate}, the values are {up}"), &gate.last(), &up.last()).at("up"));
    }
    let n = gate.numel();
    Ok(Facts {
        outputs: vec![gate.clone()],
        params: Vec::new(),
        flops: Flops::pointwise(&Poly::int(plain) * &n, &Poly::int(special) * &n),
        state: None,
        form: Form::Function { name, args: Vec::new() },
    })
}
