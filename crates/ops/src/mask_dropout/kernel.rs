//! Embeddings of mask tokens dropped out, the rest scaled up to what training saw.

use formwork_tensor::{Context, Tensor, Tokens};

/// `[B, S, d]` to `[B, S, d]`: zero at the id `mask`, elsewhere scaled by `(1 - trained) / (1 - observed)`, where `observed` is the
/// share of `mask` among the sequence's tokens without padding.
pub fn mask_dropout(
    ctx: &Context,
    x: &Tensor,
    tokens: &Tokens,
    mask: usize,
    trained: f32,
) -> Tensor {
    let mut y = ctx.tensor(x.shape());
    let len = tokens.len();
    let width = x.data().len() / (tokens.batch() * len);
    let scales: Vec<f32> = (0..tokens.batch())
        .map(|row| scale(tokens, row, mask, trained))
        .collect();
    let (ids, x) = (tokens.ids.data(), x.data());
    ctx.device()
        .threads()
        .rows(y.data_mut(), width, |first, rows| {
            for (at, row) in rows.chunks_exact_mut(width).enumerate() {
                let at = first + at;
                let scale = if ids[at] as usize == mask {
                    0.0
                } else {
                    scales[at / len]
                };
                for (y, x) in row.iter_mut().zip(&x[at * width..]) {
                    *y = x * scale;
                }
            }
        });
    y
}

fn scale(tokens: &Tokens, row: usize, mask: usize, trained: f32) -> f32 {
    let masked = tokens
        .ids
        .row(row)
        .iter()
        .filter(|id| **id as usize == mask)
        .count();
    let valid = tokens
        .valid_row(row)
        .map_or(tokens.len(), |valid| valid.iter().filter(|v| **v).count());
    let observed = masked as f32 / valid.max(1) as f32;
    if observed < 1.0 {
        (1.0 - trained) / (1.0 - observed)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use formwork_tensor::{Ids, Simd};

    use super::*;

    #[test]
    fn follows_the_formula_in_double_precision() {
        let ctx = Context::with(2, Simd::PORTABLE);
        let ids = [3_u32, 9, 4, 9, 5, 6, 7, 0];
        let valid = [true, true, true, true, true, true, true, false];
        let tokens =
            Tokens::new(Ids::new(ids.to_vec(), 2).unwrap(), 0, Some(valid.to_vec())).unwrap();
        let x: Vec<f32> = (0..24).map(|i| 0.37 * i as f32 - 3.1).collect();
        let y = mask_dropout(&ctx, &ctx.from_slice(&[2, 4, 3], &x), &tokens, 9, 0.12);
        let observed = [2.0 / 4.0, 0.0];
        for (i, y) in y.data().iter().enumerate() {
            let scale = if ids[i / 3] == 9 {
                0.0
            } else {
                0.88 / (1.0 - observed[i / 12])
            };
            assert!(
                (f64::from(*y) - f64::from(x[i]) * scale).abs() < 1e-5,
                "{i}"
            );
        }
    }
}
