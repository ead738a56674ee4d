//! The xIELU activation, with two trained slopes.

use crate::{Call, Facts, Flops, Form, Input, Op, OpError, Param, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::Xielu;

pub(crate) static XIELU: Op = Op {
    name: "xielu",
    summary: "y = a·x² + β·x for x > 0, else b·(exp(min(x, ε)) - 1 - x) + β·x; a = softplus(alpha_p), b = β + softplus(alpha_n)",
    source: "Huang 2024, arXiv:2411.13010",
    inputs: &[Input::tensor("x")],
    attrs: &[],
    stream_of: None,
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let x = call.input("x")?;
    let one = || [Poly::int(1)];
    Ok(Facts {
        outputs: vec![x.clone()],
        params: vec![
            Param::new("alpha_p", one()),
            Param::new("alpha_n", one()),
            Param::buffer("beta", []),
            Param::buffer("eps", []),
        ],
        flops: Flops::pointwise(&Poly::int(6) * &x.numel(), x.numel()),
        state: None,
        form: Form::layer("Xielu", "xielu", Vec::new()),
    })
}
