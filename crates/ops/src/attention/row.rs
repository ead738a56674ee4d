//! One query of one head over keys that were gathered: scores, softmax, and the weighted sum of values.

use formwork_tensor::Kernel;
use formwork_tensor::lanes::{accumulate, dots, exp2, load, load_tail, mul_add, pairwise, sum};

/// The kernel of one row of attention.
pub(crate) struct Row<'a> {
    pub(crate) q: &'a [f32],
    /// As many as scores, one after the other.
    pub(crate) keys: &'a [f32],
    pub(crate) values: &'a [f32],
    pub(crate) scale: f32,
    pub(crate) scores: &'a mut [f32],
    pub(crate) y: &'a mut [f32],
}

impl Kernel for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(mut self) {
        self.score::<N, FMA>();
        match self.exponentiate::<N, FMA>() {
            Some(inverse) => self.mix::<N, FMA>(inverse),
            None => self.y.fill(0.0),
        }
    }
}

impl Row<'_> {
    /// Scaled products of the query with every key.
    #[inline(always)]
    fn score<const N: usize, const FMA: bool>(&mut self) {
        let e = self.q.len();
        let whole = self.scores.len() - self.scores.len() % 4;
        for at in (0..whole).step_by(4) {
            self.scores[at..at + 4].copy_from_slice(&dots::<4, N, FMA>(self.q, &self.keys[at * e..], e));
        }
        for at in whole..self.scores.len() {
            self.scores[at] = dots::<1, N, FMA>(self.q, &self.keys[at * e..], e)[0];
        }
        self.scores.iter_mut().for_each(|score| *score *= self.scale);
    }

    /// `e^(score - max)` in place, and one over their sum; none if no key is seen.
    #[inline(always)]
    fn exponentiate<const N: usize, const FMA: bool>(&mut self) -> Option<f32> {
        let max = maximum::<N>(self.scores);
        if max == f32::NEG_INFINITY {
            return None;
        }
        Some(1.0 / exponentials::<N, FMA>(self.scores, 1.0, max))
    }

    /// Sets every output to the weighted sum of values, in the order of keys.
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
    fn columns<const V: usize, const N: usize, const FMA: bool>(&mut self, column: usize, inverse: f32) {
        let count = (V * N).min(self.y.len() - column);
        let mut sums = [[0.0; N]; V];
        for (value, &weight) in self.values.chunks_exact(self.y.len()).zip(&*self.scores) {
            let value = &value[column..][..count];
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
        let y = &mut self.y[column..column + count];
        y.iter_mut().zip(sums.as_flattened()).for_each(|(y, sum)| *y = sum * inverse);
    }
}

/// Turns scores into `e^(scale · (score - max))`, and returns their sum. The sum is taken apart, for it would keep the exponentials
/// from being made in whole vectors.
#[inline(always)]
pub(crate) fn exponentials<const N: usize, const FMA: bool>(scores: &mut [f32], scale: f32, max: f32) -> f32 {
    let scale = scale * std::f32::consts::LOG2_E;
    let most = scale * max;
    scores.iter_mut().for_each(|score| *score = exp2::<FMA>(mul_add::<FMA>(*score, scale, -most)));
    let mut sums = [0.0; N];
    let (blocks, rest) = scores.as_chunks::<N>();
    for block in blocks {
        accumulate::<N, FMA>(&mut sums, block, &[1.0; N]);
    }
    sums.iter_mut().zip(rest).for_each(|(sum, score)| *sum += score);
    sum(sums)
}

/// The largest element, NaN aside: it shows in the sum of exponentials. NaN if there is nothing else that is seen.
#[inline(always)]
pub(crate) fn maximum<const N: usize>(x: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let mut lanes = [f32::NEG_INFINITY; N];
    let (blocks, rest) = x.as_chunks::<N>();
    for block in blocks {
        for lane in 0..N {
            lanes[lane] = larger(block[lane], lanes[lane]);
        }
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, x)| *lane = larger(*x, *lane));
    let largest = pairwise(lanes, larger);
    if largest == f32::NEG_INFINITY && x.iter().any(|x| x.is_nan()) { f32::NAN } else { largest }
}
