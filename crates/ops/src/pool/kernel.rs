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

/// `[B, S, d]` to `[B, d]`: the first token.
pub fn first_token(ctx: &Context, x: &Tensor, tokens: &Tokens) -> Tensor {
    pooled(ctx, x, tokens, |_, states, y| y.copy_from_slice(&states[..y.len()]))
}

/// Fills each sequence's row from its states and the flags of its tokens.
fn pooled(ctx: &Context, x: &Tensor, tokens: &Tokens, fill: impl Fn(&[bool], &[f32], &mut [f32])) -> Tensor {
    let (d, texts) = (x.dims().width(), tokens.texts());
    assert_eq!(x.data().len(), tokens.batch() * tokens.len() * d, "a state of each token");
    let all = vec![true; tokens.len()];
    let mut y = ctx.zeros(&[texts.len(), d]);
    for (at, (text, y)) in texts.into_iter().zip(y.data_mut().chunks_exact_mut(d)).enumerate() {
        let valid = tokens.valid_new(at).unwrap_or(&all[..text.len()]);
        fill(valid, &x.data()[text.start * d..text.end * d], y);
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
        assert_eq!(first_token(&ctx, &x, &tokens).data(), [0.0, 1.0, 8.0, 9.0]);
        let mean = mean_token(&ctx, &x, &tokens);
        for (mean, due) in mean.data().iter().zip([1.0, 2.0, 12.0, 13.0]) {
            assert!((mean - due).abs() < 1e-5, "{mean} {due}");
        }
    }

    #[test]
    fn packed_texts_have_a_vector_each() {
        let ctx = Context::with(1, Simd::PORTABLE);
        let tokens = Tokens::packed(Ids::new(vec![5; 4], 1).unwrap(), &[1, 3]).unwrap();
        let x = ctx.from_slice(&[1, 4, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        assert_eq!(first_token(&ctx, &x, &tokens).data(), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(last_token(&ctx, &x, &tokens).data(), [0.0, 1.0, 6.0, 7.0]);
        let mean = mean_token(&ctx, &x, &tokens);
        for (mean, due) in mean.data().iter().zip([0.0, 1.0, 4.0, 5.0]) {
            assert!((mean - due).abs() < 1e-6, "{mean} {due}");
        }
    }
}
