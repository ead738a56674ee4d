//! How the panels of a product are shared out.
#![allow(unsafe_code, reason = "hands disjoint outputs to several threads")]

use std::ops::Range;

use crate::device::Device;
use crate::matmul::Product;
use crate::reads::STREAMS;
use crate::threads::Columns;

use super::PANEL;

/// The most rows of products that the memory bounds.
pub(crate) const FEW: usize = 4;
/// Bytes of weights below which a task costs more to start than to run.
const LEAST: usize = 1 << 15;
/// Tasks of a thread: threads may be of unequal speed, and wait for the last task. Sixteen made a tenth fewer steps in four bits than
/// four where memory is fast.
const SHARE: usize = 4;
/// Bytes of weights of a task of many rows: they stay in the second-level cache.
const MOST: usize = 1 << 18;

/// The panels of one task: `streams` runs of `range.len()` panels, `stride` apart.
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) range: Range<usize>,
    pub(crate) streams: usize,
    pub(crate) stride: usize,
}

/// The tasks of a product: so even that no thread has more panels than another by more than one or two.
pub(crate) struct Blocks {
    panels: usize,
    streams: usize,
    /// Panels of a stream that stay together.
    unit: usize,
    tasks: usize,
    d_out: usize,
}

impl Blocks {
    pub(crate) fn new(product: &Product<'_>, panel_bytes: usize, device: &Device) -> Self {
        let threads = device.threads().count();
        let panels = product.d_out.div_ceil(PANEL);
        // Registers of fewer lanes do not hold the sums of more rows by several panels.
        let most = if device.simd().lanes() == 16 { FEW } else { 2 };
        let streams = if product.rows <= most && panels >= 4 * STREAMS { STREAMS } else { 1 };
        let (bytes, of_stream) = (panel_bytes.max(1), panels.div_ceil(streams));
        let least = LEAST.div_ceil(bytes * streams * product.rows.div_ceil(FEW).max(1));
        let tasks = of_stream.div_ceil((MOST / bytes).max(1)).max(threads * SHARE).next_multiple_of(threads);
        let tasks = tasks.min(of_stream / least).max(1);
        Self { panels, streams, unit: 1, tasks, d_out: product.d_out }
    }

    /// Tasks of at most `most` panels, an even number, whatever they weigh.
    pub(crate) fn of_panels(product: &Product<'_>, most: usize, threads: usize) -> Self {
        let panels = product.d_out.div_ceil(PANEL).max(1);
        let units = panels.div_ceil(2);
        let tasks = units.div_ceil(most / 2).next_multiple_of(threads).min(units);
        Self { panels, streams: 1, unit: 2, tasks, d_out: product.d_out }
    }

    fn stride(&self) -> usize {
        self.panels.div_ceil(self.streams)
    }

    fn block(&self, index: usize) -> Block {
        let units = self.stride().div_ceil(self.unit);
        let [start, end] = [index, index + 1].map(|at| (at * units / self.tasks * self.unit).min(self.stride()));
        Block { range: start..end, streams: self.streams, stride: self.stride() }
    }

    /// Runs `task(made, product, block, outputs)` for every block of every product, on all threads at once, each with what it
    /// made first.
    pub(crate) fn run<T>(
        all: &[Self],
        device: &Device,
        outputs: &mut [&mut [f32]],
        make: impl Fn() -> T + Sync,
        task: impl Fn(&T, usize, Block, Outputs<'_>) + Sync,
    ) {
        let columns = all.iter().zip(outputs).map(|(it, y)| Columns::new(y, 1, it.d_out));
        let columns: Vec<Columns<'_, f32>> = columns.collect();
        device.threads().run_with(all.iter().map(|it| it.tasks).sum(), make, |made, mut index| {
            let mut product = 0;
            while index >= all[product].tasks {
                index -= all[product].tasks;
                product += 1;
            }
            let outputs = Outputs { columns: &columns[product], d_out: all[product].d_out, only: None };
            task(made, product, all[product].block(index), outputs);
        });
    }
}

impl Block {
    /// The panel at `at` in a stream; it may lie behind the last.
    fn panel(&self, at: usize, stream: usize) -> usize {
        stream * self.stride + at
    }

    /// The panels at `at` of some streams, the first on.
    #[inline(always)]
    pub(crate) fn side_by_side<const NP: usize>(&self, at: usize) -> [usize; NP] {
        std::array::from_fn(|stream| self.panel(at, stream))
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

/// Writes as many sums of a panel as there is room for.
#[inline(always)]
pub(super) fn write(y: &mut [f32], lanes: [f32; PANEL]) {
    match <&mut [f32; PANEL]>::try_from(&mut *y) {
        Ok(whole) => *whole = lanes,
        Err(_) => write_part(y, lanes),
    }
}

/// Apart, so that whole panels are a store: the compiler would make one copy of any length of both.
#[cold]
#[inline(never)]
fn write_part(y: &mut [f32], lanes: [f32; PANEL]) {
    y.copy_from_slice(&lanes[..y.len()]);
}
