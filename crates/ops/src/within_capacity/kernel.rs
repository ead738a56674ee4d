//! Experts that take a bounded number of each sequence's tokens.

use formwork_tensor::{Context, Ids, Tensor};

/// Weights `[B, S, k]` of the experts `chosen` `[B, S, k]`, 0 from the `n + 1`st choice of an expert in a sequence on.
pub fn within_capacity(ctx: &Context, weights: &Tensor, chosen: &Ids, n: usize) -> Tensor {
    let experts = chosen.data().iter().max().map_or(0, |id| *id as usize + 1);
    let mut kept = ctx.from_slice(weights.shape(), weights.data());
    let width = kept.data().len() / chosen.batch();
    let mut taken = vec![0; experts];
    for (sequence, row) in kept.data_mut().chunks_exact_mut(width).enumerate() {
        taken.fill(0);
        for (weight, id) in row.iter_mut().zip(chosen.row(sequence)) {
            let taken = &mut taken[*id as usize];
            *taken += 1;
            if *taken > n {
                *weight = 0.0;
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use formwork_tensor::Simd;

    use super::*;

    #[test]
    fn later_tokens_of_a_sequence_find_a_full_expert() {
        let ctx = Context::with(1, Simd::PORTABLE);
        let chosen = Ids::new(vec![1, 0, 1, 1, 1, 1, 0, 0], 2).unwrap();
        let weights = ctx.from_slice(&[2, 4, 1], &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]);
        let kept = within_capacity(&ctx, &weights, &chosen, 2);
        assert_eq!(kept.data(), [0.1, 0.2, 0.3, 0.0, 0.5, 0.6, 0.7, 0.8]);
        let kept = within_capacity(&ctx, &weights, &chosen, 1);
        assert_eq!(kept.data(), [0.1, 0.2, 0.0, 0.0, 0.5, 0.0, 0.7, 0.0]);
    }
}
