//! One query of one head: scores, softmax, and the weighted sum of values.

use std::ops::Range;

use formwork_tensor::Kernel;
use formwork_tensor::lanes::{dots, exp, load, load_tail, mul_add, sum};

use super::kv_cache::Segment;

/// The kernel of one row of attention.
pub(crate) struct Row<'a> {
    pub(crate) q: &'a [f32],
    /// In the order of their slots; they cover `seen`.
    pub(crate) segments: &'a [Segment<'a>],
    pub(crate) seen: Range<usize>,
    pub(crate) valid: Option<&'a [bool]>,
    pub(crate) scale: f32,
    /// One number per slot of `seen`.
    pub(crate) scores: &'a mut [f32],
    pub(crate) y: &'a mut [f32],
}

impl Kernel for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(mut self) {
        self.score::<N, FMA>();
        self.adjust();
        match self.exponentiate::<N, FMA>() {
            Some(inverse) => self.mix::<N, FMA>(inverse),
            None => self.y.fill(0.0),
        }
    }
}

impl Row<'_> {
    /// The part of a segment that is seen: its rows, and where its scores start.
    #[inline(always)]
    fn overlap(&self, segment: &Segment) -> (Range<usize>, usize) {
        let first = self.seen.start.max(segment.first);
        let last = self.seen.end.min(segment.first + segment.len);
        if last <= first {
            return (0..0, 0);
        }
        (
            first - segment.first..last - segment.first,
            first - self.seen.start,
        )
    }

    /// Products of the query with every key.
    #[inline(always)]
    fn score<const N: usize, const FMA: bool>(&mut self) {
        let mut filled = 0;
        for segment in self.segments {
            let (rows, at) = self.overlap(segment);
            filled += rows.len();
            let (q, stride) = (segment.q.unwrap_or(self.q), segment.key_stride);
            let scores = &mut self.scores[at..][..rows.len()];
            let mut blocks = scores.chunks_exact_mut(4);
            let mut row = rows.start;
            for block in &mut blocks {
                let keys = &segment.keys[row * stride..];
                block.copy_from_slice(&dots::<4, N, FMA>(q, keys, stride));
                row += 4;
            }
            for score in blocks.into_remainder() {
                *score = dots::<1, N, FMA>(q, &segment.keys[row * stride..], stride)[0];
                row += 1;
            }
        }
        assert_eq!(
            filled,
            self.scores.len(),
            "the mask looks at keys that were dropped"
        );
    }

    /// Scale and padding.
    #[inline(always)]
    fn adjust(&mut self) {
        self.scores
            .iter_mut()
            .for_each(|score| *score *= self.scale);
        if let Some(valid) = self.valid {
            let valid = &valid[self.seen.clone()];
            for (score, valid) in self.scores.iter_mut().zip(valid) {
                *score = if *valid { *score } else { f32::NEG_INFINITY };
            }
        }
    }

    /// `e^(score - max)` in place, and one over their sum; none if no key is seen.
    #[inline(always)]
    fn exponentiate<const N: usize, const FMA: bool>(&mut self) -> Option<f32> {
        let max = maximum::<N>(self.scores);
        if max == f32::NEG_INFINITY {
            return None;
        }
        let mut sums = [0.0; N];
        let mut blocks = self.scores.chunks_exact_mut(N);
        for block in &mut blocks {
            for lane in 0..N {
                block[lane] = exp::<FMA>(block[lane] - max);
                sums[lane] += block[lane];
            }
        }
        for (score, total) in blocks.into_remainder().iter_mut().zip(&mut sums) {
            *score = exp::<FMA>(*score - max);
            *total += *score;
        }
        Some(1.0 / sum(sums))
    }

    /// Sets every output to the weighted sum of values, in the order of slots.
    #[inline(always)]
    fn mix<const N: usize, const FMA: bool>(&mut self, inverse: f32) {
        let d = self.y.len();
        let mut column = 0;
        while column + 4 * N <= d {
            self.columns::<4, N, FMA>(column, inverse);
            column += 4 * N;
        }
        while column < d {
            self.columns::<1, N, FMA>(column, inverse);
            column += N;
        }
    }

    /// `V·N` outputs from `column` on, or as many as there are.
    #[inline(always)]
    fn columns<const V: usize, const N: usize, const FMA: bool>(
        &mut self,
        column: usize,
        inverse: f32,
    ) {
        let count = (V * N).min(self.y.len() - column);
        let mut sums = [[0.0; N]; V];
        for segment in self.segments {
            let (rows, at) = self.overlap(segment);
            for (row, &weight) in rows.clone().zip(&self.scores[at..]) {
                let value = &segment.values[row * segment.value_stride + column..][..count];
                for v in 0..V {
                    let lanes = match count == V * N {
                        true => load::<N, f32>(&value[v * N..v * N + N]),
                        false => load_tail::<N, f32>(value),
                    };
                    for lane in 0..N {
                        sums[v][lane] = mul_add::<FMA>(weight, lanes[lane], sums[v][lane]);
                    }
                }
            }
        }
        let sums = sums.as_flattened();
        let y = &mut self.y[column..column + count];
        y.iter_mut()
            .zip(sums)
            .for_each(|(y, sum)| *y = sum * inverse);
    }
}

/// The largest element; NaN if there is one.
#[inline(always)]
pub(crate) fn maximum<const N: usize>(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; N];
    for block in x.chunks(N) {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane = if x > *lane || x.is_nan() { x } else { *lane };
        }
    }
    lanes.into_iter().fold(
        f32::NEG_INFINITY,
        |a, x| if x > a || x.is_nan() { x } else { a },
    )
}
