//! One block of keys against the queries that share them: scores, softmax within the block, weighted values.
//!
//! Every query's numbers come about in the same order however queries are grouped and wherever keys are stored.

use std::ops::Range;

use formwork_tensor::Kernel;
use formwork_tensor::lanes::{accumulate, dots, exp, load, load_tail, sum, tanh};

use super::alibi::Linear;
use super::kv_cache::Segment;
use super::row::maximum;

/// Slots of a block. Blocks start at multiples of it, so no result depends on how work is cut.
pub(crate) const BLOCK: usize = 256;

/// Floats of scratch that `rows` queries of width `e` need.
pub(crate) fn scratch_len(rows: usize, e: usize) -> usize {
    rows * BLOCK + MAX_LANES * e
}

const MAX_LANES: usize = 16;

/// Keys that stay in the first-level cache while all queries pass.
const KEYS: usize = 64;

/// One query.
#[derive(Clone)]
pub(crate) struct Query<'a> {
    pub(crate) q: &'a [f32],
    pub(crate) seen: Range<usize>,
    pub(crate) linear: Option<Linear>,
    /// One number per slot.
    pub(crate) bias: Option<&'a [f32]>,
}

/// The kernel of one block.
pub(crate) struct Block<'a, F> {
    /// The queries, by their row.
    pub(crate) query: F,
    pub(crate) rows: usize,
    /// Whether keys are laid out with the slots in lanes before products: it pays where several heads share them.
    pub(crate) lanes_of_keys: bool,
    /// In the order of their slots; they cover what is seen.
    pub(crate) segments: [Segment<'a>; 3],
    pub(crate) valid: Option<&'a [bool]>,
    pub(crate) scale: f32,
    pub(crate) softcap: Option<f32>,
    /// The block's first slot.
    pub(crate) first: usize,
    /// [`scratch_len`] floats.
    pub(crate) scratch: &'a mut [f32],
    /// For each row `d` weighted sums, the largest score, and the sum of weights.
    pub(crate) parts: &'a mut [f32],
}

impl<'a, F: Fn(usize) -> Query<'a>> Kernel for Block<'a, F> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(mut self) {
        let seen = self.seen();
        let width = self.parts.len() / self.rows;
        if seen.is_empty() {
            return self.parts.chunks_exact_mut(width).for_each(nothing);
        }
        match self.lanes_of_keys {
            true => self.score_panels::<N, FMA>(&seen),
            false => self.score_rows::<N, FMA>(&seen),
        }
        for row in 0..self.rows {
            self.soften::<N, FMA>(row, &seen);
        }
        self.mix::<N, FMA>(&seen, width);
    }
}

/// A part to which no key contributes.
pub(crate) fn nothing(part: &mut [f32]) {
    let d = part.len() - 2;
    part.fill(0.0);
    part[d] = f32::NEG_INFINITY;
}

impl<'a, F: Fn(usize) -> Query<'a>> Block<'a, F> {
    /// The slots of this block that any query sees.
    #[inline(always)]
    fn seen(&self) -> Range<usize> {
        let end = self.first + BLOCK;
        (0..self.rows).fold(end..self.first, |all, row| {
            let seen = (self.query)(row).seen;
            let (start, end) = (seen.start.max(self.first), seen.end.min(end));
            if start < end { all.start.min(start)..all.end.max(end) } else { all }
        })
    }

    /// The key of a slot.
    #[inline(always)]
    fn key(&self, slot: usize, e: usize) -> &'a [f32] {
        let holder = self.segments.iter().find(|s| slot >= s.first && slot < s.first + s.len);
        let segment = holder.expect("the mask looks at keys that were dropped");
        &segment.keys[(slot - segment.first) * segment.key_stride..][..e]
    }

    /// Products of every query with every key, where the channels are in lanes.
    #[inline(always)]
    fn score_rows<const N: usize, const FMA: bool>(&mut self, seen: &Range<usize>) {
        let mut filled = 0;
        for segment in &self.segments {
            let (first, last) = (seen.start.max(segment.first), seen.end.min(segment.first + segment.len));
            filled += last.saturating_sub(first);
            for first in (first..last).step_by(KEYS) {
                let count = KEYS.min(last - first);
                let (keys, stride) = (&segment.keys[(first - segment.first) * segment.key_stride..], segment.key_stride);
                for row in 0..self.rows {
                    let q = (self.query)(row).q;
                    let scores = &mut self.scratch[row * BLOCK + first - self.first..][..count];
                    let whole = count - count % 4;
                    for at in (0..whole).step_by(4) {
                        scores[at..at + 4].copy_from_slice(&dots::<4, N, FMA>(q, &keys[at * stride..], stride));
                    }
                    for at in whole..count {
                        scores[at] = dots::<1, N, FMA>(q, &keys[at * stride..], stride)[0];
                    }
                }
            }
        }
        assert_eq!(filled, seen.len(), "the mask looks at keys that were dropped");
    }

    /// The same where the keys are in lanes, `N` at a time.
    #[inline(always)]
    fn score_panels<const N: usize, const FMA: bool>(&mut self, seen: &Range<usize>) {
        let e = (self.query)(0).q.len();
        let mut slot = seen.start - (seen.start - self.first) % N;
        while slot < seen.end {
            let mut keys = [&self.segments[0].keys[..0]; N];
            for (lane, key) in keys.iter_mut().enumerate() {
                *key = self.key((slot + lane).clamp(seen.start, seen.end - 1), e);
            }
            let (_, panel) = self.scratch.split_at_mut(self.rows * BLOCK);
            for (i, lanes) in panel.chunks_exact_mut(N).take(e).enumerate() {
                for lane in 0..N {
                    lanes[lane] = keys[lane][i];
                }
            }
            let mut row = 0;
            while row < self.rows {
                row += match self.rows - row {
                    8.. => self.products::<8, N, FMA>(row, slot - self.first, e),
                    4..8 => self.products::<4, N, FMA>(row, slot - self.first, e),
                    2 | 3 => self.products::<2, N, FMA>(row, slot - self.first, e),
                    _ => self.products::<1, N, FMA>(row, slot - self.first, e),
                };
            }
            slot += N;
        }
    }

    /// The products of `R` queries with the keys of the panel; returns `R`.
    #[inline(always)]
    fn products<const R: usize, const N: usize, const FMA: bool>(&mut self, row: usize, at: usize, e: usize) -> usize {
        let (scores, panel) = self.scratch.split_at_mut(self.rows * BLOCK);
        let mut queries = [&panel[..0]; R];
        for (r, query) in queries.iter_mut().enumerate() {
            *query = &(self.query)(row + r).q[..e];
        }
        let mut sums = [[0.0; N]; R];
        for (i, keys) in panel.chunks_exact(N).take(e).enumerate() {
            let keys = load::<N, f32>(keys);
            for r in 0..R {
                accumulate::<N, FMA>(&mut sums[r], &[queries[r][i]; N], &keys);
            }
        }
        for r in 0..R {
            scores[(row + r) * BLOCK + at..][..N].copy_from_slice(&sums[r]);
        }
        R
    }

    /// Scores to weights, their largest score and their sum.
    #[inline(always)]
    fn soften<const N: usize, const FMA: bool>(&mut self, row: usize, all: &Range<usize>) {
        let query = (self.query)(row);
        let start = all.start - (all.start - self.first) % N;
        let width = self.parts.len() / self.rows;
        let part = &mut self.parts[(row + 1) * width - 2..][..2];
        let lanes = (all.end - start).next_multiple_of(N);
        let scores = &mut self.scratch[row * BLOCK + start - self.first..][..lanes];
        let scale = self.scale;
        scores.iter_mut().for_each(|score| *score *= scale);
        if let Some(c) = self.softcap {
            scores.iter_mut().for_each(|score| *score = c * tanh::<FMA>(*score / c));
        }
        if let Some(linear) = query.linear {
            linear.add(scores, start);
        }
        if let Some(bias) = query.bias {
            scores.iter_mut().zip(&bias[start..]).for_each(|(score, bias)| *score += bias);
        }
        if let Some(valid) = self.valid {
            for (score, valid) in scores.iter_mut().zip(&valid[start..]) {
                *score = if *valid { *score } else { f32::NEG_INFINITY };
            }
        }
        let end = start + scores.len();
        let hidden_before = query.seen.start.clamp(start, end) - start;
        let hidden_from = query.seen.end.clamp(start, end) - start;
        scores[..hidden_before].fill(f32::NEG_INFINITY);
        scores[hidden_from.max(hidden_before)..].fill(f32::NEG_INFINITY);
        let max = maximum::<N>(scores);
        if max == f32::NEG_INFINITY {
            scores.fill(0.0);
            part.copy_from_slice(&[max, 0.0]);
            return;
        }
        let mut sums = [0.0; N];
        for scores in scores.chunks_exact_mut(N) {
            for lane in 0..N {
                scores[lane] = exp::<FMA>(scores[lane] - max);
                sums[lane] += scores[lane];
            }
        }
        part.copy_from_slice(&[max, sum(sums)]);
    }

    /// The weighted sums of values.
    #[inline(always)]
    fn mix<const N: usize, const FMA: bool>(&mut self, seen: &Range<usize>, width: usize) {
        let mut row = 0;
        while row < self.rows {
            row += match self.rows - row {
                4.. if N == 16 => self.strip::<4, N, FMA>(row, seen, width),
                2.. => self.strip::<2, N, FMA>(row, seen, width),
                _ => self.strip::<1, N, FMA>(row, seen, width),
            };
        }
    }

    /// The sums of `R` rows; returns `R`.
    #[inline(always)]
    fn strip<const R: usize, const N: usize, const FMA: bool>(
        &mut self,
        row: usize,
        seen: &Range<usize>,
        width: usize,
    ) -> usize {
        let d = width - 2;
        let mut column = 0;
        while column + 4 * N <= d {
            self.columns::<R, 4, N, FMA>(row, column, 4 * N, seen, width);
            column += 4 * N;
        }
        while column < d {
            self.columns::<R, 1, N, FMA>(row, column, N.min(d - column), seen, width);
            column += N;
        }
        R
    }

    /// `count` columns from `column` on, at most `V·N`.
    #[inline(always)]
    fn columns<const R: usize, const V: usize, const N: usize, const FMA: bool>(
        &mut self,
        row: usize,
        column: usize,
        count: usize,
        seen: &Range<usize>,
        width: usize,
    ) {
        let mut sums = [[[0.0; N]; V]; R];
        for segment in &self.segments {
            let (first, last) = (seen.start.max(segment.first), seen.end.min(segment.first + segment.len));
            if first >= last {
                continue;
            }
            let mut weights = [&self.scratch[..0]; R];
            for (r, weights) in weights.iter_mut().enumerate() {
                *weights = &self.scratch[(row + r) * BLOCK + first - self.first..][..last - first];
            }
            for (at, slot) in (first..last).enumerate() {
                let value = &segment.values[(slot - segment.first) * segment.value_stride + column..][..count];
                for v in 0..V {
                    let lanes = match count == V * N {
                        true => load::<N, f32>(&value[v * N..v * N + N]),
                        false => load_tail::<N, f32>(value),
                    };
                    for r in 0..R {
                        accumulate::<N, FMA>(&mut sums[r][v], &[weights[r][at]; N], &lanes);
                    }
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let part = &mut self.parts[(row + r) * width + column..][..count];
            part.copy_from_slice(&sums.as_flattened()[..count]);
        }
    }
}
