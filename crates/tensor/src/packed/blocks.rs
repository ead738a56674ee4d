//! How the panels of a product are shared out.
#![allow(unsafe_code, reason = "hands disjoint outputs to several threads")]

use std::ops::Range;

use crate::device::Device;
use crate::matmul::Product;
use crate::reads::{STREAMS, are_streams_faster};
use crate::threads::Columns;

use super::PANEL;

/// The most rows of products that the memory bounds.
const FEW: usize = 4;
/// Bytes of weights below which a task costs more to start than to run.
const LEAST: usize = 1 << 15;
/// Bytes of weights of a task of many rows: they stay in the second-level cache.
const MOST: usize = 1 << 18;

/// The panels of one task: `streams` runs of `range.len()` panels, `stride` apart.
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) range: Range<usize>,
    pub(crate) streams: usize,
    pub(crate) stride: usize,
    /// Whether memory serves whole panels, one after the other, faster than several at once or in pieces.
    pub(crate) in_order: bool,
}

/// The tasks of a product.
pub(crate) struct Blocks {
    panels: usize,
    streams: usize,
    step: usize,
    d_out: usize,
    in_order: bool,
}

impl Blocks {
    pub(crate) fn new(product: &Product<'_>, panel_bytes: usize, threads: usize) -> Self {
        let panels = product.d_out.div_ceil(PANEL);
        let (few, many_streams) = (product.rows <= FEW, are_streams_faster());
        let streams = if few && many_streams && panels >= 4 * STREAMS { STREAMS } else { 1 };
        let length = panels.div_ceil(streams);
        let work = (panel_bytes * streams * product.rows.div_ceil(FEW)).max(1);
        let even = length.div_ceil(threads * 4);
        let step = even.min((MOST / panel_bytes.max(1)).max(2)).max(LEAST.div_ceil(work)).max(1);
        let step = step.next_multiple_of(2).min(length.max(1));
        Self { panels, streams, step, d_out: product.d_out, in_order: few && !many_streams }
    }

    /// Tasks of at most `most` panels, whatever they weigh, so that no thread has many more panels than another.
    pub(crate) fn of_panels(product: &Product<'_>, most: usize, threads: usize) -> Self {
        let panels = product.d_out.div_ceil(PANEL).max(1);
        let longest = |step: &usize| panels.div_ceil(*step).div_ceil(threads) * step;
        let step = (2..=most).rev().step_by(2).min_by_key(longest).unwrap_or(most).min(panels);
        Self { panels, streams: 1, step, d_out: product.d_out, in_order: false }
    }

    fn stride(&self) -> usize {
        self.panels.div_ceil(self.streams)
    }

    fn tasks(&self) -> usize {
        self.stride().div_ceil(self.step)
    }

    fn block(&self, index: usize) -> Block {
        let start = index * self.step;
        let range = start..(start + self.step).min(self.stride());
        Block { range, streams: self.streams, stride: self.stride(), in_order: self.in_order }
    }

    /// Runs `task(product, block, outputs)` for every block of every product, on all threads at once.
    pub(crate) fn run(
        all: &[Self],
        device: &Device,
        outputs: &mut [&mut [f32]],
        task: impl Fn(usize, Block, Outputs<'_>) + Sync,
    ) {
        let columns = all.iter().zip(outputs).map(|(it, y)| Columns::new(y, 1, it.d_out));
        let columns: Vec<Columns<'_, f32>> = columns.collect();
        device.threads().run(all.iter().map(Self::tasks).sum(), |mut index| {
            let mut product = 0;
            while index >= all[product].tasks() {
                index -= all[product].tasks();
                product += 1;
            }
            let outputs = Outputs { columns: &columns[product], d_out: all[product].d_out, only: None };
            task(product, all[product].block(index), outputs);
        });
    }
}

impl Block {
    /// The panel at `at` in a stream; it may lie behind the last.
    pub(crate) fn panel(&self, at: usize, stream: usize) -> usize {
        stream * self.stride + at
    }

    /// The block's panels in a stream; some may lie behind the last.
    pub(crate) fn stream(&self, stream: usize) -> Range<usize> {
        self.panel(self.range.start, stream)..self.panel(self.range.end, stream)
    }

    /// The number of its panels.
    pub(crate) fn panels(&self) -> usize {
        self.streams * self.range.len()
    }

    /// Where a panel stands among the block's, stream by stream.
    fn place(&self, panel: usize) -> usize {
        panel / self.stride * self.range.len() + panel % self.stride - self.range.start
    }
}

/// The outputs of a task: those of its panels.
pub(crate) struct Outputs<'a> {
    columns: &'a Columns<'a, f32>,
    d_out: usize,
    /// The block whose panels alone are there; else all are.
    only: Option<&'a Block>,
}

impl<'a> Outputs<'a> {
    /// The outputs of a block alone, `[rows, block.panels(), PANEL]`, of a product of `d_out`.
    pub(crate) fn of_block(columns: &'a Columns<'a, f32>, d_out: usize, block: &'a Block) -> Self {
        Self { columns, d_out, only: Some(block) }
    }

    /// The same outputs, for a while.
    pub(crate) fn again(&mut self) -> Outputs<'_> {
        Outputs { ..*self }
    }

    /// The outputs of a panel for a row; empty for a panel behind the last.
    #[inline(always)]
    pub(crate) fn panel(&mut self, row: usize, panel: usize) -> &mut [f32] {
        self.panels(row, panel..panel + 1)
    }

    /// The outputs of some panels of a stream for a row, without those behind the last.
    #[inline(always)]
    pub(crate) fn panels(&mut self, row: usize, panels: Range<usize>) -> &mut [f32] {
        let [start, end] = [panels.start, panels.end].map(|panel| (panel * PANEL).min(self.d_out));
        let first = match self.only {
            None => row * self.d_out + start,
            Some(block) => (row * block.panels() + block.place(panels.start)) * PANEL,
        };
        // SAFETY: a panel belongs to one task, and `self` is borrowed exclusively.
        unsafe { self.columns.slice(first, end - start) }
    }
}
