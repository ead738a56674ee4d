//! Latent attention to chosen keys: an indexer's list says which latents a query reads.

use crate::mla::{absorbed, arguments, parameters, sizes};
use crate::{Attr, AttrDefault, AttrType, Call, Facts, Form, Input, Op, OpError, State, Type, Visibility};

#[cfg(feature = "kernels")]
mod kernel;
#[cfg(feature = "kernels")]
pub use kernel::ChosenMla;

pub(crate) static CHOSEN_MLA: Op = Op {
    name: "chosen_mla",
    summary: "latent attention, k = [W_k·c | r] and v = W_v·c for each head, over the keys that a list gives for each token",
    source: "arXiv:2512.02556 (2025), section 2.1",
    inputs: &[Input::tensor("q"), Input::tensor("latent"), Input::tensor("rope"), Input::ids("keys")],
    attrs: &[
        Attr::required("d_v", AttrType::Int),
        Attr::with("scale", AttrType::Float, AttrDefault::Null),
        Attr::required("decoding", AttrType::Declared("latent_decoding")),
    ],
    stream_of: Some(1),
    facts,
};

fn facts(call: &Call<'_>) -> Result<Facts, OpError> {
    let (it, chosen) = (sizes(call)?, call.input("keys")?);
    let [_, tokens, n] = chosen.shape.as_slice() else {
        return Err(OpError::new(format!("`keys` are the chosen slots [B, S, n], not {chosen}")).at("keys"));
    };
    if !tokens.same(&it.queries) {
        let message = format!("keys are chosen for {tokens} tokens, not {}", it.queries);
        return Err(OpError::unequal(message, tokens, &it.queries).at("keys"));
    }
    let seen = Visibility::Chosen(n.clone());
    let mut flops = it.expanded(seen.clone());
    flops.decode = absorbed(call).then(|| Box::new(it.absorbed(seen)));
    Ok(Facts {
        outputs: vec![Type::f32(vec![it.batch.clone(), it.queries.clone(), it.heads.clone(), it.d_v.clone()])],
        params: parameters(&it),
        flops,
        state: Some(State::Rows { width: &it.latent + &it.rope }),
        form: Form::Layer { ty: "ChosenMla", load: "chosen_mla", args: arguments(call, &it)? },
    })
}
