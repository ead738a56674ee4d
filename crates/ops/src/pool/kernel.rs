//! One vector of each sequence; padding does not count.

use formwork_tensor::{Context, Tensor, Tokens};

/// `[B, S, d]` to `[B, d]`: the mean over the tokens that are no padding.
pub fn mean_token(ctx: &Context, x: &Tensor, tokens: &Tokens) -> Tensor {
    pooled(ctx, x, tokens, |valid, states, y| {
        let count = valid.iter().filter(|v| **v).count().max(1) as f32;
        for (state, _) in states.chunks_exact(y.len()).zip(valid).filter(|(_, valid)| **valid) {
            y.iter_mut().zip(state).for_each(|(y, x)| *y += x / count);
        }
    })
}

/// `[B, S, d]` to `[B, d]`: the last token that is no padding.
pub fn last_token(ctx: &Context, x: &Tensor, tokens: &Tokens) -> Tensor {
    pooled(ctx, x, tokens, |valid, states, y| {
        if let Some(last) = valid.iter().rposition(|v| *v) {
            y.copy_from_slice(&states[last * y.len()..(last + 1) * y.len()]);
        }
    })
}

/// Fills each sequence's row from its states and the flags of its tokens.
fn pooled(ctx: &Context, x: &Tensor, tokens: &Tokens, fill: impl Fn(&[bool], &[f32], &mut [f32])) -> Tensor {
    let (batch, len) = (tokens.batch(), tokens.len());
    let d = x.data().len() / (batch * len);
    let all = vec![true; len];
    let mut y = ctx.zeros(&[batch, d]);
    for (row, y) in y.data_mut().chunks_exact_mut(d).enumerate() {
        fill(tokens.valid_new(row).unwrap_or(&all), &x.data()[row * len * d..(row + 1) * len * d], y);
    }
    y
}

#[cfg(test)]
mod tests {
    use formwork_tensor::{Ids, Simd};

    use super::*;

    #[test]
    fn padding_on_either_side_does_not_count() {
        let ctx = Context::with(1, Simd::PORTABLE);
        let valid = [true, true, false, false, false, true, true, true];
        let tokens = Tokens::new(Ids::new(vec![5; 8], 2).unwrap(), 0, Some(valid.to_vec())).unwrap();
        let x: Vec<f32> = (0..16).map(|i| i as f32).collect();
        let x = ctx.from_slice(&[2, 4, 2], &x);
        assert_eq!(last_token(&ctx, &x, &tokens).data(), [2.0, 3.0, 14.0, 15.0]);
        let mean = mean_token(&ctx, &x, &tokens);
        for (mean, due) in mean.data().iter().zip([1.0, 2.0, 12.0, 13.0]) {
            assert!((mean - due).abs() < 1e-5, "{mean} {due}");
        }
    }
}
