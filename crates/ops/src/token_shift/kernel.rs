//! The token before, which is what it keeps.

use formwork_tensor::{Context, Tensor, Tokens};

use crate::recurrent::RecurrentState;

/// `[B, S, d]` to `[B, S, d]`: each token's predecessor. Padding reads as zeros.
pub fn token_shift(ctx: &Context, x: &Tensor, tokens: &Tokens, state: &mut RecurrentState) -> Tensor {
    state.expect_before(tokens);
    let [_, s, d] = x.axes("token_shift");
    let mut y = ctx.tensor(x.shape());
    let sequences = y.data_mut().chunks_exact_mut(s * d).zip(x.data().chunks_exact(s * d));
    for (sequence, (y, x)) in sequences.enumerate() {
        let before = state.sequence_mut(sequence);
        let valid = tokens.valid_new(sequence);
        for (step, (y, x)) in y.chunks_exact_mut(d).zip(x.chunks_exact(d)).enumerate() {
            y.copy_from_slice(before);
            before.copy_from_slice(x);
            if valid.is_some_and(|valid| !valid[step]) {
                before.fill(0.0);
            }
        }
    }
    state.advance(s);
    y
}
