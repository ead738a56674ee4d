//! Heads of attention that are experts: each token's queries and results go through the matrices that a router chose.

use crate::{Attr, AttrType, Call, Facts, Flops, Form, Input, Lit, Op, OpError, Param, Poly, Type};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::{ExpertHeads, MergedExpertHeads};

pub(crate) static EXPERT_HEADS: Op = Op {
    name: "expert_heads",
    summary: "head g·k + c of a token is part g of W_e · x, with e the token's choice c of k: every group has a head from each choice",
    source: "Zhang et al. 2022, arXiv:2210.05144, section 3.2",
    inputs: &[Input::tensor("x"), Input::ids("chosen")],
    attrs: &[
        Attr::required("n_experts", AttrType::Int),
        Attr::required("groups", AttrType::Int),
        Attr::required("d_head", AttrType::Int),
    ],
    stream_of: None,
    packs: true,
    facts: heads,
};

pub(crate) static MERGE_EXPERT_HEADS: Op = Op {
    name: "merge_expert_heads",
    summary: "y = Σ over the k choices c of weight_c · W_e · x_c, with e the choice and x_c its heads, one of each group",
    source: "Zhang et al. 2022, arXiv:2210.05144, section 3.2",
    inputs: &[Input::tensor("x"), Input::tensor("weights"), Input::ids("chosen")],
    attrs: &[Attr::required("n_experts", AttrType::Int), Attr::required("d_out", AttrType::Int)],
    stream_of: None,
    packs: true,
    facts: merged,
};

fn heads(call: &Call<'_>) -> Result<Facts, OpError> {
    let (x, chosen) = (call.input("x")?, call.input("chosen")?);
    let (n, groups, d_head) = (call.int("n_experts")?, call.int("groups")?, call.int("d_head")?);
    let [batch, tokens, d] = x.shape.as_slice() else {
        return Err(OpError::new(format!("`expert_heads` takes [B, S, d], not {x}")).at("x"));
    };
    check_choices(x, chosen)?;
    let (k, d_out) = (chosen.last(), &groups * &d_head);
    let sizes = [&n, &groups, &d_head, d];
    Ok(Facts {
        outputs: vec![Type::f32(vec![batch.clone(), tokens.clone(), &groups * &k, d_head.clone()])],
        params: vec![Param::chosen("weight", &n, &k, vec![d_out.clone(), d.clone()])],
        flops: products(batch, tokens, &k, &(d * &d_out)),
        state: None,
        form: layer("ExpertHeads", "expert_heads", sizes),
    })
}

fn merged(call: &Call<'_>) -> Result<Facts, OpError> {
    let (x, weights, chosen) = (call.input("x")?, call.input("weights")?, call.input("chosen")?);
    let (n, d_out) = (call.int("n_experts")?, call.int("d_out")?);
    let [batch, tokens, heads, d_head] = x.shape.as_slice() else {
        return Err(OpError::new(format!("`merge_expert_heads` takes [B, S, heads, d], not {x}")).at("x"));
    };
    check_choices(x, chosen)?;
    if !weights.last().same(&chosen.last()) {
        let message = format!("{x} has routes {weights} to {chosen}");
        return Err(OpError::new(message).at("weights").help("take both from `route`"));
    }
    let k = chosen.last();
    let groups = match (heads.constant(), k.constant()) {
        (Some(h), Some(c)) if c > 0 && h % c == 0 => Poly::int(h / c),
        _ => return Err(OpError::indivisible(format!("{heads} heads do not come from {k} choices"), heads, &k).at("x")),
    };
    let sizes = [&n, &groups, d_head, &d_out];
    Ok(Facts {
        outputs: vec![Type::f32(vec![batch.clone(), tokens.clone(), d_out.clone()])],
        params: vec![Param::chosen("weight", &n, &k, vec![d_out.clone(), &groups * d_head])],
        flops: products(batch, tokens, &k, &(&d_out * &(&groups * d_head))),
        state: None,
        form: layer("MergedExpertHeads", "merge_expert_heads", sizes),
    })
}

fn check_choices(x: &Type, chosen: &Type) -> Result<(), OpError> {
    let same = chosen.shape.len() == 3 && chosen.shape.iter().zip(&x.shape).take(2).all(|(a, b)| a.same(b));
    match same {
        true => Ok(()),
        false => Err(OpError::new(format!("{x} has the choices {chosen}")).at("chosen").help("take them from `route`")),
    }
}

/// A product with one matrix for each choice of each token.
fn products(batch: &Poly, tokens: &Poly, k: &Poly, matrix: &Poly) -> Flops {
    let uses = &(batch * tokens) * k;
    Flops { matmul: &Poly::int(2) * &(&uses * matrix), ..Flops::none() }
}

fn layer(ty: &'static str, load: &'static str, sizes: [&Poly; 4]) -> Form {
    Form::layer(ty, load, sizes.map(|size| Lit::Size(size.clone())).into())
}
