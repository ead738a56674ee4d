//! What content and distance say about each other.

use formwork_tensor::lanes::dots;
use formwork_tensor::{Context, Kernel, Tensor};

/// Which row of a table stands for a distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distances {
    /// Distances from here on are alike.
    pub max_distance: usize,
    /// Rows for either direction; every distance has its own where 0.
    pub buckets: usize,
}

impl Distances {
    /// The row of query `i` and key `j`, of twice as many as there are in a direction.
    fn row(self, i: usize, j: usize) -> usize {
        let (half, distance) = match self.buckets {
            0 => (self.max_distance, i.abs_diff(j)),
            buckets => (buckets, self.bucket(i.abs_diff(j))),
        };
        if i < j { half.saturating_sub(distance) } else { (half + distance).min(2 * half - 1) }
    }

    /// Near distances by themselves, far ones by their logarithm, in single precision as the published code has it.
    fn bucket(self, distance: usize) -> usize {
        let middle = self.buckets / 2;
        if distance <= middle {
            return distance;
        }
        let span = ((self.max_distance - 1) as f64 / middle as f64) as f32;
        let share = (distance as f32 / middle as f32).ln() / span.ln();
        (share * (middle - 1) as f32).ceil() as usize + middle
    }
}

/// Queries `[B, S, H, d]` on a table `[2 n, H, d]` to `[B, H, S, S]`.
pub fn content_to_position(ctx: &Context, q: &Tensor, table: &Tensor, distances: Distances, scale: f32) -> Tensor {
    scores(ctx, q, table, |i, j| (i, distances.row(i, j)), scale)
}

/// Keys `[B, S, H, d]` on a table `[2 n, H, d]` to `[B, H, S, S]`.
pub fn position_to_content(ctx: &Context, k: &Tensor, table: &Tensor, distances: Distances, scale: f32) -> Tensor {
    scores(ctx, k, table, |i, j| (j, distances.row(i, j)), scale)
}

/// For each pair, the product of the token and the row that `of` says.
fn scores(ctx: &Context, x: &Tensor, table: &Tensor, of: impl Fn(usize, usize) -> (usize, usize) + Sync, scale: f32) -> Tensor {
    let [b, s, heads, d] = x.axes("position scores");
    let mut y = ctx.tensor(&[b, heads, s, s]);
    let (x, table, simd) = (x.data(), table.data(), ctx.device().simd());
    ctx.device().threads().rows(y.data_mut(), s, |first, rows| {
        for (at, row) in rows.chunks_exact_mut(s).enumerate() {
            let (i, head, sequence) = ((first + at) % s, (first + at) / s % heads, (first + at) / s / heads);
            let pair = |j: usize| {
                let (token, distance) = of(i, j);
                let content = &x[((sequence * s + token) * heads + head) * d..][..d];
                (content, &table[(distance * heads + head) * d..][..d])
            };
            simd.run(Row { row, pair, scale });
        }
    });
    y
}

/// One query's scores.
struct Row<'a, P> {
    row: &'a mut [f32],
    pair: P,
    scale: f32,
}

impl<'a, P: Fn(usize) -> (&'a [f32], &'a [f32])> Kernel for Row<'_, P> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        for (j, score) in self.row.iter_mut().enumerate() {
            let (content, row) = (self.pair)(j);
            *score = self.scale * dots::<1, N, FMA>(content, row, content.len())[0];
        }
    }
}

#[cfg(test)]
mod tests {
    use formwork_tensor::Simd;

    use super::*;

    /// Of the published formula with 256 buckets and distances up to 512.
    #[test]
    fn near_distances_are_exact_and_far_ones_logarithmic() {
        let distances = Distances { max_distance: 512, buckets: 256 };
        let known = [(0, 0), (1, 1), (128, 128), (129, 129), (130, 130), (200, 169), (300, 207), (511, 255), (600, 270)];
        for (distance, bucket) in known {
            let bucket: usize = bucket;
            assert_eq!(distances.row(distance, 0), (256 + bucket).min(511), "{distance} behind");
            assert_eq!(distances.row(0, distance), 256_usize.saturating_sub(bucket), "{distance} ahead");
        }
        let plain = Distances { max_distance: 4, buckets: 0 };
        assert_eq!([0, 3, 4, 9].map(|i| plain.row(i, 0)), [4, 7, 7, 7]);
        assert_eq!([3, 4, 9].map(|j| plain.row(0, j)), [1, 0, 0]);
    }

    #[test]
    fn each_pair_takes_its_row_in_double_precision() {
        let (b, s, heads, d) = (2, 5, 3, 4);
        let x: Vec<f32> = (0..b * s * heads * d).map(|i| ((i * 37 % 23) as f32 - 11.0) / 7.0).collect();
        let table: Vec<f32> = (0..6 * heads * d).map(|i| ((i * 29 % 19) as f32 - 9.0) / 5.0).collect();
        let distances = Distances { max_distance: 3, buckets: 0 };
        for level in Simd::supported() {
            let ctx = Context::with(2, level);
            let (x, table) = (ctx.from_slice(&[b, s, heads, d], &x), ctx.from_slice(&[6, heads, d], &table));
            let by_query = content_to_position(&ctx, &x, &table, distances, 0.3);
            let by_key = position_to_content(&ctx, &x, &table, distances, 0.3);
            for at in 0..b * heads * s * s {
                let (j, i, head, sequence) = (at % s, at / s % s, at / s / s % heads, at / s / s / heads);
                let row = (i as i64 - j as i64 + 3).clamp(0, 5) as usize;
                for (y, token) in [(&by_query, i), (&by_key, j)] {
                    let products = (0..d).map(|c| {
                        let content = x.data()[((sequence * s + token) * heads + head) * d + c];
                        f64::from(content) * f64::from(table.data()[(row * heads + head) * d + c])
                    });
                    assert!((f64::from(y.data()[at]) - 0.3 * products.sum::<f64>()).abs() < 1e-5, "{at}");
                }
            }
        }
    }
}
