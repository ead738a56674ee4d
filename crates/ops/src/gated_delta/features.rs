//! The gated delta rule with a decay for each feature of a key, one token after the other.

use formwork_tensor::lanes::exp;
use formwork_tensor::{Context, Kernel, Tensor, Tokens, threads};

use super::kernel::{normalise, read};
use crate::linear_attention::add;
use crate::recurrent::RecurrentState;

/// `q` and `k` `[B, S, K, e]`, `v` `[B, S, H, d]`, `log_decay` `[B, S, H, e]` and `beta` `[B, S, H]` to `[B, S, H, d]`; padding
/// changes nothing.
pub fn gated_delta_features(
    ctx: &Context,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    log_decay: &Tensor,
    beta: &Tensor,
    tokens: &Tokens,
    state: &mut RecurrentState,
) -> Tensor {
    state.expect_before(tokens);
    let [b, s, key_heads, e] = q.axes("gated_delta");
    let [_, _, heads, d] = v.axes("gated_delta");
    let simd = ctx.device().simd();
    state.run(ctx, [b, s, d], |sequence, head, state, rows| {
        let valid = tokens.valid_new(sequence);
        threads::scratch(2 * e + d, |scratch| {
            let (query, rest) = scratch.split_at_mut(e);
            let (key, correction) = rest.split_at_mut(e);
            for (step, y) in rows.chunks_exact_mut(d).enumerate() {
                if valid.is_some_and(|valid| !valid[step]) {
                    y.fill(0.0);
                    continue;
                }
                let token = sequence * s + step;
                let from = (token * key_heads + head / (heads / key_heads)) * e;
                query.copy_from_slice(&q.data()[from..][..e]);
                key.copy_from_slice(&k.data()[from..][..e]);
                correction.copy_from_slice(&v.data()[(token * heads + head) * d..][..d]);
                let decay = &log_decay.data()[(token * heads + head) * e..][..e];
                let beta = beta.data()[token * heads + head];
                simd.run(Step { query, key, correction, decay, beta, state, y });
            }
        });
    })
}

/// One token of one head; `correction` comes as the value.
struct Step<'a> {
    query: &'a mut [f32],
    key: &'a mut [f32],
    correction: &'a mut [f32],
    decay: &'a [f32],
    beta: f32,
    state: &'a mut [f32],
    y: &'a mut [f32],
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let (e, d) = (self.key.len(), self.y.len());
        normalise::<N, FMA>(self.query, 1.0 / (e as f32).sqrt());
        normalise::<N, FMA>(self.key, 1.0);
        for (row, decay) in self.state.chunks_exact_mut(d).zip(self.decay) {
            let kept = exp::<FMA>(*decay);
            row.iter_mut().for_each(|x| *x *= kept);
        }
        read::<FMA>(self.correction, -1.0, self.key, self.state);
        for (row, key) in self.state.chunks_exact_mut(d).zip(self.key.iter()) {
            add::<FMA>(row, self.beta * key, self.correction);
        }
        self.y.fill(0.0);
        read::<FMA>(self.y, 1.0, self.query, self.state);
    }
}
