//! Latent attention to chosen keys: an indexer's list says which latents a query reads.

use crate::mla::{latent_facts, sizes};
use crate::{Attr, AttrDefault, AttrType, Call, Facts, Input, Op, OpError, Visibility};

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
    packs: false,
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
    latent_facts(call, it, seen, "ChosenMla", "chosen_mla")
}
