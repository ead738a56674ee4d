//! Rows of the tokens asked for.

use formwork_tensor::{Asked, Tensor, Tokens};

/// `[B, S, d]` as it is, or the last of each sequence `[B, 1, d]`.
pub fn asked(x: Tensor, tokens: &Tokens) -> Tensor {
    if tokens.asked == Asked::All || tokens.len() == 1 { x } else { x.last_slot() }
}

#[cfg(test)]
mod tests {
    use formwork_tensor::{Context, Ids, Simd};

    use super::*;

    #[test]
    fn all_tokens_or_the_last_of_each_sequence() {
        let ctx = Context::with(1, Simd::PORTABLE);
        let tokens = Tokens::new(Ids::new(vec![5; 6], 2).unwrap(), 0, None).unwrap();
        let x: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let x = ctx.from_slice(&[2, 3, 2], &x);
        assert_eq!(asked(x.clone(), &tokens).data(), x.data());
        let last = asked(x, &tokens.asking(Asked::Last));
        assert_eq!((last.shape(), last.data()), (&[2, 1, 2][..], &[4.0, 5.0, 10.0, 11.0][..]));
    }
}
