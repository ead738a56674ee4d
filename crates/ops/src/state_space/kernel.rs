//! The state space of several heads in chunks; a chunk of one token is the recurrence.

use formwork_tensor::lanes::softplus;
use formwork_tensor::{Context, Tensor, Tokens};

use super::CHUNK;
use crate::decayed::{Heads, Source};
use crate::recurrent::RecurrentState;

/// `A`, `D` and the step's bias, a number for each head, and the bounds of a step.
#[derive(Clone)]
pub struct StateSpace {
    rate: Vec<f32>,
    skip: Vec<f32>,
    bias: Vec<f32>,
    low: f32,
    high: f32,
}

impl StateSpace {
    /// From `A_log`, `D` and `dt_bias` `[H]`.
    pub fn new(a_log: &[f32], skip: Vec<f32>, bias: Vec<f32>, low: f32, high: f32) -> Self {
        Self { rate: a_log.iter().map(|a| -a.exp()).collect(), skip, bias, low, high }
    }

    /// `x` `[B, S, H, d]`, `dt` `[B, S, H]`, `b` and `c` `[B, S, G, n]` to `[B, S, H, d]`; padding changes nothing.
    pub fn forward(
        &self,
        ctx: &Context,
        x: &Tensor,
        dt: &Tensor,
        b: &Tensor,
        c: &Tensor,
        tokens: &Tokens,
        state: &mut RecurrentState,
    ) -> Tensor {
        let heads = self.rate.len();
        let step = |token: usize, head: usize| {
            let step = softplus::<false>(dt.data()[token * heads + head] + self.bias[head]);
            let step = step.clamp(self.low, self.high);
            Source { decay: step * self.rate[head], weight: step }
        };
        let it = Heads { queries: c, keys: b, values: x, chunk: CHUNK, skip: Some(&self.skip) };
        it.run(ctx, tokens, state, step)
    }
}
