//! Tokens are grouped by expert; each expert's matrix is applied once.

use formwork_tensor::{Context, Ids, Tensor};

use crate::experts::{Stacked, gather, groups, scatter};

/// Matrices `[groups·d_head, d]` of experts, whose images are heads.
#[derive(Clone)]
pub struct ExpertHeads {
    weight: Stacked,
    groups: usize,
    d_head: usize,
}

impl ExpertHeads {
    /// From a matrix for each expert.
    pub fn new(weight: Stacked, groups: usize, d_head: usize) -> Self {
        Self { weight, groups, d_head }
    }

    /// `x` `[B, S, d]` and `chosen` `[B, S, k]` to `[B, S, groups·k, d_head]`.
    pub fn forward(&self, ctx: &Context, x: &Tensor, chosen: &Ids) -> Tensor {
        let [batch, tokens, _] = x.axes("expert_heads");
        let k = chosen.data().len() / (batch * tokens).max(1);
        let mut y = ctx.zeros(&[batch, tokens, self.groups * k, self.d_head]);
        for (expert, uses) in groups(chosen.data(), self.weight.experts()).iter().enumerate() {
            if uses.is_empty() || expert == self.weight.experts() {
                continue;
            }
            let input = gather(ctx, x, uses, k, |_| 1.0);
            let output = self.weight.forward(ctx, expert, &input);
            let d = self.d_head;
            for (row, at) in output.data().chunks_exact(self.groups * d).zip(uses) {
                for (group, head) in row.chunks_exact(d).enumerate() {
                    y.data_mut()[((at / k * self.groups + group) * k + at % k) * d..][..d].copy_from_slice(head);
                }
            }
        }
        y
    }
}

/// Matrices `[d_out, groups·d_head]` of experts, which heads go through.
#[derive(Clone)]
pub struct MergedExpertHeads {
    weight: Stacked,
    groups: usize,
    d_head: usize,
    d_out: usize,
}

impl MergedExpertHeads {
    /// From a matrix for each expert.
    pub fn new(weight: Stacked, groups: usize, d_head: usize, d_out: usize) -> Self {
        Self { weight, groups, d_head, d_out }
    }

    /// `x` `[B, S, groups·k, d_head]`, `weights` and `chosen` `[B, S, k]` to `[B, S, d_out]`.
    pub fn forward(&self, ctx: &Context, x: &Tensor, weights: &Tensor, chosen: &Ids) -> Tensor {
        let [batch, tokens, ..] = x.axes::<4>("merge_expert_heads");
        let k = weights.dims().width();
        let mut y = ctx.zeros(&[batch, tokens, self.d_out]);
        for (expert, uses) in groups(chosen.data(), self.weight.experts()).iter().enumerate() {
            if uses.is_empty() || expert == self.weight.experts() {
                continue;
            }
            let output = self.weight.forward(ctx, expert, &self.heads(ctx, x, uses, k));
            scatter(&mut y, &output, uses, k, |at| weights.data()[at]);
        }
        y
    }

    /// The heads of some choices, side by side.
    fn heads(&self, ctx: &Context, x: &Tensor, uses: &[usize], k: usize) -> Tensor {
        let d = self.d_head;
        let mut rows = ctx.tensor(&[uses.len(), self.groups * d]);
        for (row, at) in rows.data_mut().chunks_exact_mut(self.groups * d).zip(uses) {
            for (group, head) in row.chunks_exact_mut(d).enumerate() {
                head.copy_from_slice(&x.data()[((at / k * self.groups + group) * k + at % k) * d..][..d]);
            }
        }
        rows
    }
}
