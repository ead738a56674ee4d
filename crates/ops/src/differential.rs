//! Differential attention's subtraction: one map's values less a trained share of the other's.

use crate::{Attr, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::Differential;

pub(crate) static DIFFERENTIAL: Op = Op {
    name: "differential",
    summary: "y = a - (exp(q1·k1) - exp(q2·k2)) · b, with trained vectors q1, k1, q2 and k2 of `d` numbers",
    source: "Ye et al. 2024, arXiv:2410.05258, section 2.1; a share that does not depend on training is added by `- b * number`",
    inputs: &[Input::tensor("a"), Input::tensor("b")],
    attrs: &[Attr::required("d", AttrType::Int)],
    stream_of: None,
    packs: true,
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (a, b, d) = (call.input("a")?, call.input("b")?, call.int("d")?);
    let alike = a.shape.len() == b.shape.len() && a.shape.iter().zip(&b.shape).all(|(x, y)| x.same(y));
    if !alike {
        return Err(OpError::new(format!("{b} is not subtracted from {a}")).at("b"));
    }
    let vector = |name| Param::new(name, [d.clone()]);
    Ok(Facts {
        outputs: vec![a.clone()],
        params: ["lambda_q1", "lambda_k1", "lambda_q2", "lambda_k2"].map(vector).to_vec(),
        flops: Flops::pointwise(&(&Poly::int(2) * &a.numel()) + &(&Poly::int(4) * &d), Poly::int(2)),
        state: None,
        form: Form::layer("Differential", "differential", vec![Lit::Size(d)]),
    })
}
