//! Sums, differences, products and scaling.

use crate::{Attr, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Type};

macro_rules! binary {
    ($($id:ident $name:literal $symbol:literal, $summary:literal;)*) => {$(
        pub(crate) static $id: Op = Op {
            name: $name,
            summary: $summary,
            source: "elementwise",
            inputs: &[Input::tensor("a"), Input::tensor("b")],
            attrs: &[],
            stream_of: None,
            packs: true,
            facts: |call| binary(call, $name, $symbol),
        };
    )*};
}

binary! {
    ADD "add" "+", "y = a + b; b may lack leading axes, or have one number a row";
    SUB "sub" "-", "y = a - b; b may lack leading axes, or have one number a row";
    MUL "mul" "*", "y = a · b elementwise; b may lack leading axes, or have one number a row";
}

pub(crate) static SCALE: Op = Op {
    name: "scale",
    summary: "y = factor · x",
    source: "elementwise",
    inputs: &[Input::tensor("x")],
    attrs: &[Attr::required("factor", AttrType::Float)],
    stream_of: None,
    packs: true,
    facts: |call| {
        let x = call.input("x")?;
        Ok(Facts {
            outputs: vec![x.clone()],
            params: Vec::new(),
            flops: Flops::pointwise(x.numel(), crate::Poly::zero()),
            state: None,
            form: Form::Infix { symbol: "*", right: Some(Lit::F32(call.float("factor")?)) },
        })
    },
};

fn binary(call: &Call<'_>, name: &str, symbol: &'static str) -> Result<Facts, OpError> {
    let (a, b) = (call.input("a")?, call.input("b")?);
    suffix_equal(name, a, b)?;
    Ok(Facts {
        outputs: vec![a.clone()],
        params: Vec::new(),
        flops: Flops::pointwise(a.numel(), crate::Poly::zero()),
        state: None,
        form: Form::Infix { symbol, right: None },
    })
}

/// `b`'s axes must equal the last axes of `a`; with as many axes, its last may be 1.
fn suffix_equal(name: &str, a: &Type, b: &Type) -> Result<(), OpError> {
    let verb = match name {
        "mul" => "multiply",
        "sub" => "subtract",
        _ => "add",
    };
    let refuse = || format!("cannot {verb} {a} and {b}");
    if b.shape.len() > a.shape.len() {
        return Err(OpError::new(refuse()).at("b"));
    }
    let lead = a.shape.len() - b.shape.len();
    let column = lead == 0 && b.last().constant() == Some(1);
    let last = b.shape.len().saturating_sub(1);
    for (at, (x, y)) in a.shape[lead..].iter().zip(&b.shape).enumerate() {
        if !(x.same(y) || column && at == last) {
            return Err(OpError::unequal(refuse(), x, y).at("b"));
        }
    }
    Ok(())
}
