//! What content and distance say about each other, added to attention scores.

use crate::{Attr, AttrDefault, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Poly, Type};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::{Distances, content_to_position, position_to_content};

pub(crate) static CONTENT_TO_POSITION: Op = Op {
    name: "content_to_position",
    summary: "y[b, h, i, j] = scale · q_i · table[r], the row of the distance i - j; rows are exact when near and logarithmic from `buckets / 2` on",
    source: "He et al. 2020, arXiv:2006.03654, section 3.1; buckets: He et al. 2021, arXiv:2111.09543, section 4",
    inputs: &[Input::tensor("q"), Input::tensor("table")],
    attrs: ATTRS,
    stream_of: None,
    packs: false,
    facts: |call| facts(call, "q", "content_to_position"),
};

pub(crate) static POSITION_TO_CONTENT: Op = Op {
    name: "position_to_content",
    summary: "y[b, h, i, j] = scale · k_j · table[r], the row of the distance i - j",
    source: "He et al. 2020, arXiv:2006.03654, section 3.1",
    inputs: &[Input::tensor("k"), Input::tensor("table")],
    attrs: ATTRS,
    stream_of: None,
    packs: false,
    facts: |call| facts(call, "k", "position_to_content"),
};

const ATTRS: &[Attr] = &[
    Attr::required("max_distance", AttrType::Int),
    Attr::with("buckets", AttrType::Int, AttrDefault::Null),
    Attr::required("scale", AttrType::Float),
];

fn facts(call: &Call<'_>, content: &'static str, name: &'static str) -> Result<Facts, OpError> {
    let (x, table) = (call.input(content)?, call.input("table")?);
    let [batch, length, heads, d] = x.shape.as_slice() else {
        return Err(OpError::new(format!("`{content}` must be [B, S, heads, d_head], not {x}")).at(content));
    };
    let far = call.int("max_distance")?;
    let buckets = match call.attr("buckets") {
        crate::AttrValue::Null => Poly::zero(),
        _ => call.int("buckets")?,
    };
    let half = if buckets.constant() == Some(0) { far.clone() } else { buckets.clone() };
    let expected = Type::f32(vec![&Poly::int(2) * &half, heads.clone(), d.clone()]);
    let fits = table.shape.len() == 3 && table.shape.iter().zip(&expected.shape).all(|(a, b)| a.same(b));
    if !fits {
        return Err(OpError::new(format!("the table is {table}, the distances are {expected}")).at("table"));
    }
    let pairs = &(batch * heads) * length;
    let fields = vec![("max_distance", Lit::Size(far)), ("buckets", Lit::Size(buckets))];
    Ok(Facts {
        outputs: vec![Type::f32(vec![batch.clone(), heads.clone(), length.clone(), length.clone()])],
        params: Vec::new(),
        // The products with the whole table; each pair takes one of them.
        flops: Flops::product(&(&Poly::int(2) * &(&pairs * d)) * &expected.shape[0], &pairs * length),
        state: None,
        form: Form::Source { name, args: vec![Lit::Struct("Distances".into(), fields), Lit::F32(call.float("scale")?)] },
    })
}
