//! One block of keys against the queries that share them: scores, softmax within the block, weighted values.
//!
//! Every query's numbers come about in the same order however queries are grouped and wherever keys are stored.

use std::ops::Range;

use formwork_tensor::Kernel;
use formwork_tensor::lanes::{Ahead, Next, accumulate, dots, load, load_tail, mul_add, tanh};

use super::alibi::Linear;
use super::by_distance::Terms;
use super::codes::{self, Coded};
use super::row::{exponentials, maximum};
use super::slots::{Run, Slots};
use crate::stored::PANEL;

/// Slots of a block. Blocks start at multiples of it, so no result depends on how work is cut.
pub(crate) const BLOCK: usize = 256;

/// Floats of keys or values that stay in the first-level cache while all queries pass.
const CHUNK: usize = 2048;

/// Panels that are read together: memory serves two streams faster than one.
const STREAMS: usize = 2;

/// Floats of scratch that `rows` queries of width `e` and values of width `d` need.
pub(crate) fn scratch_len(rows: usize, e: usize, d: usize) -> usize {
    let floats = (STREAMS * PANEL * e).max(chunk(e) * e).max(chunk(d) * d.max(e));
    rows * BLOCK + floats.max(codes::scratch_len(d))
}

/// Slots of a chunk of rows of `width` floats.
fn chunk(width: usize) -> usize {
    (CHUNK / width.max(1)).next_multiple_of(4).clamp(8, BLOCK)
}

/// One query.
#[derive(Clone)]
pub(crate) struct Query<'a> {
    pub(crate) q: &'a [f32],
    pub(crate) seen: Range<usize>,
    pub(crate) linear: Option<Linear>,
    /// One number per slot.
    pub(crate) bias: Option<&'a [f32]>,
}

impl<'a> Query<'a> {
    /// One whose products are wanted alone.
    pub(crate) fn plain(q: &'a [f32]) -> Self {
        Self { q, seen: 0..0, linear: None, bias: None }
    }

    /// Scales scores of slots from `start` on, and caps them and adds to them what is asked for.
    #[inline(always)]
    fn adjust<const FMA: bool>(&self, scores: &mut [f32], start: usize, scale: f32, softcap: Option<f32>) {
        scores.iter_mut().for_each(|score| *score *= scale);
        if let Some(c) = softcap {
            scores.iter_mut().for_each(|score| *score = c * tanh::<FMA>(*score / c));
        }
        if let Some(linear) = self.linear {
            linear.add(scores, start);
        }
        if let Some(bias) = self.bias {
            scores.iter_mut().zip(&bias[start..]).for_each(|(score, bias)| *score += bias);
        }
    }
}

/// The kernel of one block.
pub(crate) struct Block<'a> {
    /// By their row.
    pub(crate) queries: &'a [Query<'a>],
    /// Whether keys are read with the slots in lanes: they are kept so, or may be laid out so. It depends on where they are alone,
    /// so that steps of any length add in the same order.
    pub(crate) lanes_of_keys: bool,
    pub(crate) keys: Slots<'a>,
    pub(crate) values: Slots<'a>,
    pub(crate) valid: Option<&'a [bool]>,
    pub(crate) scale: f32,
    pub(crate) softcap: Option<f32>,
    /// What is added to products before they are scaled.
    pub(crate) terms: Option<Terms<'a>>,
    /// The block's first slot.
    pub(crate) first: usize,
    /// Keys and values that are multiplied as codes.
    pub(crate) coded: Option<Coded<'a>>,
    /// [`scratch_len`] floats.
    pub(crate) scratch: &'a mut [f32],
    /// For each row `d` weighted sums, the largest score, and the sum of weights.
    pub(crate) parts: &'a mut [f32],
}

impl Kernel for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(mut self) {
        let seen = seen(self.queries, self.first);
        let width = self.parts.len() / self.queries.len();
        if seen.is_empty() {
            return self.parts.chunks_exact_mut(width).for_each(nothing);
        }
        match self.coded {
            Some(coded) => self.score_codes(coded, &seen),
            None if self.lanes_of_keys => self.score_panels::<N, FMA>(&seen),
            None => self.score_rows::<N, FMA>(&seen),
        }
        // Weights are made of scores alone; meanwhile the memory brings the first values, and all where they are multiplied as codes.
        let asked = if self.coded.is_some() { seen.len() } else { chunk(width - 2).min(seen.len()) };
        let share = asked.div_ceil(self.queries.len());
        for row in 0..self.queries.len() {
            let [first, last] = [row, row + 1].map(|row| seen.start + (row * share).min(asked));
            self.values.fetch(first, last);
            self.soften::<N, FMA>(row, &seen);
        }
        match self.coded {
            Some(coded) => self.mix_codes::<N, FMA>(coded, &seen),
            None => self.mix::<N, FMA>(&seen, width),
        }
    }
}

/// A part to which no key contributes.
pub(crate) fn nothing(part: &mut [f32]) {
    let d = part.len() - 2;
    part.fill(0.0);
    part[d] = f32::NEG_INFINITY;
}

/// The slots of the block from `first` on that any query sees.
#[inline(always)]
pub(crate) fn seen(queries: &[Query<'_>], first: usize) -> Range<usize> {
    let end = first + BLOCK;
    queries.iter().fold(end..first, |all, query| {
        let (start, end) = (query.seen.start.max(first), query.seen.end.min(end));
        if start < end { all.start.min(start)..all.end.max(end) } else { all }
    })
}

impl Block<'_> {
    /// Products of every query with every key, where the channels are in lanes.
    #[inline(always)]
    fn score_rows<const N: usize, const FMA: bool>(&mut self, seen: &Range<usize>) {
        let most = chunk(self.queries[0].q.len());
        let mut slot = seen.start;
        while slot < seen.end {
            let count = self.keys.run(slot, seen.end).min(most);
            let (scores, rest) = self.scratch.split_at_mut(self.queries.len() * BLOCK);
            let Run { data, stride, offset } = self.keys.rows::<N>(slot, count, rest);
            let keys = &data[offset..];
            for (row, Query { q, .. }) in self.queries.iter().enumerate() {
                let scores = &mut scores[row * BLOCK + slot - self.first..][..count];
                let whole = count - count % 4;
                for at in (0..whole).step_by(4) {
                    scores[at..at + 4].copy_from_slice(&dots::<4, N, FMA>(q, &keys[at * stride..], stride));
                }
                for at in whole..count {
                    scores[at] = dots::<1, N, FMA>(q, &keys[at * stride..], stride)[0];
                }
            }
            slot += count;
        }
    }

    /// The same where the keys are in lanes.
    #[inline(always)]
    fn score_panels<const N: usize, const FMA: bool>(&mut self, seen: &Range<usize>) {
        let (scores, scratch) = self.scratch.split_at_mut(self.queries.len() * BLOCK);
        let (rows, slots, seen, first) = (self.queries, self.keys, seen.clone(), self.first);
        Scores { rows, slots, seen, first, stride: BLOCK, scores, scratch }.run::<N, FMA>();
    }

    /// Scores to weights, their largest score and their sum.
    #[inline(always)]
    pub(crate) fn soften<const N: usize, const FMA: bool>(&mut self, row: usize, all: &Range<usize>) {
        let query = &self.queries[row];
        let start = all.start - (all.start - self.first) % N;
        let width = self.parts.len() / self.queries.len();
        let part = &mut self.parts[(row + 1) * width - 2..][..2];
        let lanes = (all.end - start).next_multiple_of(N);
        let scores = &mut self.scratch[row * BLOCK + start - self.first..][..lanes];
        if let Some(terms) = &self.terms {
            terms.add(row, scores, start);
        }
        // Scores that are only scaled are scaled by their exponentials, which takes a pass less; a positive scale keeps the largest.
        let scale = if self.softcap.is_none() && query.linear.is_none() && query.bias.is_none() && self.scale > 0.0 {
            self.scale
        } else {
            query.adjust::<FMA>(scores, start, self.scale, self.softcap);
            1.0
        };
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
        part.copy_from_slice(&[scale * max, exponentials::<N, FMA>(scores, scale, max)]);
    }

    /// The weighted sums of values, chunk by chunk.
    #[inline(always)]
    fn mix<const N: usize, const FMA: bool>(&mut self, seen: &Range<usize>, width: usize) {
        let d = width - 2;
        self.parts.chunks_exact_mut(width).for_each(|part| part[..d].fill(0.0));
        let most = chunk(d);
        let mut slot = seen.start;
        while slot < seen.end {
            let count = self.values.run(slot, seen.end).min(most);
            let (scores, rest) = self.scratch.split_at_mut(self.queries.len() * BLOCK);
            let values = self.values.rows::<N>(slot, count, rest);
            let (weights, at) = (&*scores, slot - self.first);
            let next = self.values.next(slot, count);
            let mut it = Mix { weights, at, count, values, next, parts: &mut *self.parts, width };
            let mut row = 0;
            while row < self.queries.len() {
                row += match self.queries.len() - row {
                    6 | 3 => it.strip::<3, N, FMA>(row),
                    4.. => it.strip::<4, N, FMA>(row),
                    2 => it.strip::<2, N, FMA>(row),
                    _ => it.strip::<1, N, FMA>(row),
                };
            }
            slot += count;
        }
    }
}

/// Products of every row with the slots that are seen, which are in lanes: two panels of them at a time.
pub(crate) struct Scores<'a> {
    pub(crate) rows: &'a [Query<'a>],
    pub(crate) slots: Slots<'a>,
    pub(crate) seen: Range<usize>,
    /// The slot of a row's first product, a multiple of [`PANEL`].
    pub(crate) first: usize,
    /// Floats from one row of products to the next.
    pub(crate) stride: usize,
    pub(crate) scores: &'a mut [f32],
    /// Both panels.
    pub(crate) scratch: &'a mut [f32],
}

impl Kernel for Scores<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let Self { rows, slots, seen, first, stride, scores, scratch } = self;
        let e = rows[0].q.len();
        let start = seen.start - seen.start % PANEL;
        let panels = (seen.end - start).div_ceil(PANEL);
        let half = panels.div_ceil(STREAMS);
        for at in 0..half {
            let here = [start + at * PANEL, start + (half + at) * PANEL];
            let both = half + at < panels;
            let (one, other) = scratch.split_at_mut(e * PANEL);
            let one = slots.panel::<N>(here[0], &seen, e, one);
            let other = if both { slots.panel::<N>(here[1], &seen, e, other) } else { one };
            let mut next = [0, usize::from(both)].map(|panel| slots.next(here[panel], PANEL));
            if both && at + 1 == half {
                // Behind the last panels follow the first of both halves of the next block.
                next = [next[1], next[1].further(BLOCK / PANEL / STREAMS)];
            }
            let panels = [one, other].map(|panel| panel.as_chunks::<PANEL>().0);
            let places = here.map(|slot| slot - first);
            let mut row = 0;
            while row < rows.len() {
                let queries = &rows[row..];
                let it = Products { queries, e, scores: &mut scores[row * stride..], stride, places, panels, next, of: rows.len() };
                row += match (queries.len(), both) {
                    (8.., true) if N == 16 => it.run::<8, 2, FMA>(),
                    (8.., false) if N == 16 => it.run::<8, 1, FMA>(),
                    (7, true) if N == 16 => it.run::<7, 2, FMA>(),
                    (7, false) if N == 16 => it.run::<7, 1, FMA>(),
                    (6, true) if N == 16 => it.run::<6, 2, FMA>(),
                    (6, false) if N == 16 => it.run::<6, 1, FMA>(),
                    (5, true) if N == 16 => it.run::<5, 2, FMA>(),
                    (5, false) if N == 16 => it.run::<5, 1, FMA>(),
                    (3.., true) if N == 16 => it.run::<4, 2, FMA>(),
                    (3.., false) if N >= 8 => it.run::<4, 1, FMA>(),
                    (2.., true) if N == 16 => it.run::<2, 2, FMA>(),
                    (2.., false) => it.run::<2, 1, FMA>(),
                    (1, true) if N >= 8 => it.run::<1, 2, FMA>(),
                    (_, false) => it.run::<1, 1, FMA>(),
                    // Few registers: one panel after the other.
                    (3.., true) if N >= 8 => it.apart::<4, FMA>(),
                    (2.., true) => it.apart::<2, FMA>(),
                    _ => it.apart::<1, FMA>(),
                };
            }
        }
    }
}

/// Products of queries with the keys of two panels.
struct Products<'s> {
    /// Those that are left.
    queries: &'s [Query<'s>],
    e: usize,
    /// Their rows of scores.
    scores: &'s mut [f32],
    stride: usize,
    /// Where the panels' scores start in a row of scores.
    places: [usize; 2],
    panels: [&'s [[f32; PANEL]]; 2],
    next: [Next; 2],
    /// All queries of the block.
    of: usize,
}

impl Products<'_> {
    /// `P` panels with `R` queries, or as many as are left; returns how many.
    #[inline(always)]
    fn run<const R: usize, const P: usize, const FMA: bool>(mut self) -> usize {
        self.products::<R, P, FMA>();
        self.queries.len().min(R)
    }

    /// The same for one panel after the other.
    #[inline(always)]
    fn apart<const R: usize, const FMA: bool>(mut self) -> usize {
        self.products::<R, 1, FMA>();
        self.panels.swap(0, 1);
        self.places.swap(0, 1);
        self.next.swap(0, 1);
        self.products::<R, 1, FMA>();
        self.queries.len().min(R)
    }

    #[inline(always)]
    fn products<const R: usize, const P: usize, const FMA: bool>(&mut self) {
        let e = self.e;
        let mut queries = [&[][..]; R];
        for (r, q) in queries.iter_mut().enumerate() {
            *q = &self.queries[r.min(self.queries.len() - 1)].q[..e];
        }
        let panels = self.panels.map(|panel| &panel[..e]);
        let left = self.queries.len();
        let rows = self.of - left..self.of - left + R.min(left);
        let mut ahead = self.next.map(|next| next.share(rows.clone(), self.of, e));
        let mut sums = [[[0.0; PANEL]; P]; R];
        for i in 0..e {
            for p in 0..P {
                ahead[p].ask();
                let keys = panels[p][i];
                for r in 0..R {
                    let q = queries[r][i];
                    for lane in 0..PANEL {
                        sums[r][p][lane] = mul_add::<FMA>(q, keys[lane], sums[r][p][lane]);
                    }
                }
            }
        }
        for (r, sums) in sums.iter().enumerate().take(self.queries.len()) {
            for (sums, place) in sums.iter().zip(self.places) {
                self.scores[r * self.stride + place..][..PANEL].copy_from_slice(sums);
            }
        }
    }
}

/// A chunk of values.
struct Mix<'s> {
    /// The weights of each row of the block, and where the chunk's start.
    weights: &'s [f32],
    at: usize,
    count: usize,
    values: Run<'s>,
    next: Next,
    parts: &'s mut [f32],
    width: usize,
}

impl Mix<'_> {
    /// Adds to the sums of `R` rows, as many vectors at a time as registers hold sums of; returns `R`.
    #[inline(always)]
    fn strip<const R: usize, const N: usize, const FMA: bool>(&mut self, row: usize) -> usize {
        let (d, of) = (self.width - 2, self.parts.len() / self.width);
        let vectors = if 4 * R <= N { 4 } else { 2 };
        let mut ahead = self.next.share(row..row + R, of, self.count * d.div_ceil(vectors * N));
        let mut column = 0;
        while vectors == 4 && column + 4 * N <= d {
            self.columns::<R, 4, N, FMA>(row, column, 4 * N, &mut ahead);
            column += 4 * N;
        }
        while column + 2 * N <= d {
            self.columns::<R, 2, N, FMA>(row, column, 2 * N, &mut ahead);
            column += 2 * N;
        }
        while column < d {
            self.columns::<R, 1, N, FMA>(row, column, N.min(d - column), &mut ahead);
            column += N;
        }
        R
    }

    /// `count` columns from `column` on, at most `V·N`; less only of one vector.
    #[allow(clippy::needless_range_loop, reason = "indices of several arrays, unrolled")]
    #[inline(always)]
    fn columns<const R: usize, const V: usize, const N: usize, const FMA: bool>(
        &mut self,
        row: usize,
        column: usize,
        count: usize,
        ahead: &mut Ahead,
    ) {
        let mut sums = [[[0.0; N]; V]; R];
        let mut weights = [&[][..]; R];
        for r in 0..R {
            sums[r] = read(&self.parts[(row + r) * self.width + column..][..count]);
            weights[r] = &self.weights[(row + r) * BLOCK + self.at..][..self.count];
        }
        let Run { data, stride, offset } = self.values;
        for (at, value) in data.chunks_exact(stride).enumerate() {
            let value = &value[offset + column..][..count];
            ahead.ask();
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
        for r in 0..R {
            write(&mut self.parts[(row + r) * self.width + column..][..count], sums[r]);
        }
    }
}

/// Sums, which may be less than whole. Whole ones are loads, by way of an array of their own, so that others stay in registers.
#[inline(always)]
fn read<const V: usize, const N: usize>(part: &[f32]) -> [[f32; N]; V] {
    if part.len() == V * N {
        return std::array::from_fn(|v| load::<N, f32>(&part[v * N..v * N + N]));
    }
    let mut sums = [[0.0; N]; V];
    sums[0] = load_tail::<N, f32>(part);
    sums
}

#[inline(always)]
fn write<const V: usize, const N: usize>(part: &mut [f32], sums: [[f32; N]; V]) {
    if part.len() == V * N {
        for (v, sums) in sums.iter().enumerate() {
            part[v * N..v * N + N].copy_from_slice(sums);
        }
    } else {
        part.iter_mut().zip(sums[0]).for_each(|(part, sum)| *part = sum);
    }
}
