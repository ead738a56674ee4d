//! The products of a block with keys and values that are kept as codes: queries and weighted scales are rounded to sixteen bits,
//! and sums over the channels of a group, or over the slots of the block, are exact.

use std::ops::Range;

use formwork_tensor::Simd;
use formwork_tensor::pairs::{Rounded, Scores, Sums, round_products};

use super::block::{BLOCK, Block};
use crate::room::GROUP;
use crate::stored::{Codes, PANEL};

const _: () = assert!(BLOCK == formwork_tensor::pairs::SLOTS);

/// Rows whose rounded factors are made before the values are read.
const STRIP: usize = 8;

/// Floats of scratch that the scales of values of width `d` need.
pub(super) fn scratch_len(d: usize) -> usize {
    d.div_ceil(GROUP) * BLOCK
}

/// The codes that the queries of a block meet.
#[derive(Clone, Copy)]
pub(crate) struct Coded<'a> {
    queries: &'a Rounded,
    keys: Codes<'a>,
    values: Codes<'a>,
    simd: Simd,
}

impl<'a> Block<'a> {
    /// The block in products of codes, where there are rounded queries for it.
    pub(super) fn in_codes(self, queries: Option<&'a Rounded>, simd: Simd) -> Self {
        let codes = queries.zip(self.keys.codes()).zip(self.values.codes());
        Self { coded: codes.map(|((queries, keys), values)| Coded { queries, keys, values, simd }), ..self }
    }
}

impl Block<'_> {
    /// Products of every query with every key.
    #[inline(always)]
    pub(super) fn score_codes(&mut self, Coded { queries, keys, simd, .. }: Coded<'_>, seen: &Range<usize>) {
        let start = seen.start / PANEL * PANEL;
        let count = (seen.end - start).div_ceil(PANEL);
        let mut panels = [keys.panel(start); BLOCK / PANEL];
        for (at, panel) in panels[..count].iter_mut().enumerate() {
            *panel = keys.panel(start + at * PANEL);
        }
        let scores = &mut self.scratch[start - self.first..self.queries.len() * BLOCK];
        Scores { queries, panels: &panels[..count], scores, stride: BLOCK }.run(simd);
    }

    /// The weighted sums of values, group by group. A row's factors are rounded relative to the largest of the block.
    #[inline(always)]
    pub(super) fn mix_codes<const N: usize, const FMA: bool>(&mut self, coded: Coded<'_>, seen: &Range<usize>) {
        let width = self.parts.len() / self.queries.len();
        let d = width - 2;
        // Weights are zeros before and behind what is seen, in whole vectors.
        let slots = (seen.start - self.first) / N * N..(seen.end - self.first).next_multiple_of(N);
        let (weights, scales) = self.scratch.split_at_mut(self.queries.len() * BLOCK);
        coded.values.scales::<BLOCK, N>(self.first, seen, &mut scales[..scratch_len(d)]);
        let codes = coded.values.pairs(self.first + slots.start, self.first + slots.end);
        let mut factors = [[0; BLOCK]; STRIP];
        let mut steps = [0.0; STRIP];
        for (weights, parts) in weights.chunks(STRIP * BLOCK).zip(self.parts.chunks_mut(STRIP * width)) {
            let rows = weights.len() / BLOCK;
            for (group, scales) in scales.as_chunks::<BLOCK>().0.iter().enumerate().take(d.div_ceil(GROUP)) {
                for ((weights, factors), step) in weights.as_chunks::<BLOCK>().0.iter().zip(&mut factors).zip(&mut steps) {
                    let [weights, scales] = [weights, scales].map(|x| &x[slots.clone()]);
                    *step = round_products::<FMA>(weights, scales, &mut factors[slots.clone()]);
                }
                let channels = group * GROUP..((group + 1) * GROUP).min(d);
                let (sums, factors, steps) = (&mut parts[channels.start..], &factors[..rows], &steps[..rows]);
                Sums { factors, steps, first: slots.start, codes, width: d, channels, sums, stride: width }.run(coded.simd);
            }
        }
    }
}
