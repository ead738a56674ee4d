//! Products of panels of 8 and 4 bits with an input in 8 bits: how a task is walked, and its tile in plain Rust.
//!
//! Sums within a group are exact integers, and groups are added in order, so that every kernel and every number of rows gives
//! the same sums.

use std::marker::PhantomData;

use crate::lanes::mul_add;
use crate::matmul::Product;
use crate::reads::{Prefetch, STREAMS};
use crate::simd::{Kernel, Level, Simd};

use super::blocks::{Block, Outputs, write};
use super::group::{self, Codes, ZERO_STEPS};
use super::quantise::{Quantised, TILE};
use super::{GROUP, PANEL};

/// Rows that stay in the second-level cache while panels pass by.
const HEIGHT: usize = 4 * TILE;

/// One task.
pub(crate) struct Groups<'a, C> {
    pub(crate) product: &'a Product<'a>,
    pub(crate) x: &'a Quantised<'a>,
    pub(crate) block: Block,
    panels: &'a [u8],
    out: Outputs<'a>,
    codes: PhantomData<C>,
}

/// What multiplies some rows with some panels.
pub(crate) trait Tile {
    /// The most rows that it takes with `STREAMS` panels, which leave registers for few.
    const TALLEST_OF_STREAMS: usize;

    /// The most rows that it takes with one panel of codes of so many bits: 1, 2, 3, 6 or 12.
    fn tallest(bits: usize) -> usize;

    /// `MR` rows of a tile from `row` on by `NP` panels. `#[inline(always)]`, and called where its instructions are there.
    fn tile<C: Codes, const MR: usize, const NP: usize>(task: &mut Groups<'_, C>, row: usize, panels: [usize; NP]);
}

impl<'a, C: Codes> Groups<'a, C> {
    pub(crate) fn new(
        product: &'a Product<'a>,
        panels: &'a [u8],
        x: &'a Quantised<'a>,
        block: Block,
        out: Outputs<'a>,
    ) -> Self {
        Self { product, x, block, panels, out, codes: PhantomData }
    }

    pub(crate) fn run(self, simd: Simd) {
        match simd.level() {
            #[cfg(target_arch = "x86_64")]
            Level::Vnni | Level::Avx512Bf16 | Level::Amx => super::dots::wide(self),
            #[cfg(target_arch = "x86_64")]
            Level::AvxVnni => super::dots::narrow(self),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::Avx512 => super::dots::pairs(self),
            _ => simd.run(self),
        }
    }

    /// Walks the tiles of the task.
    #[inline(always)]
    pub(crate) fn walk<T: Tile>(&mut self) {
        let rows = self.product.rows;
        let block = self.block.clone();
        if block.streams == STREAMS {
            for at in block.range.clone() {
                self.strip::<T, STREAMS>(0, rows, block.side_by_side(at));
            }
            return;
        }
        for start in (0..rows).step_by(HEIGHT) {
            let end = rows.min(start + HEIGHT);
            for at in block.range.clone() {
                self.strip::<T, 1>(start, end, [at]);
            }
        }
    }

    /// Some rows by some panels. All heights divide a tile of the input, so that none crosses from one to the next.
    #[inline(always)]
    fn strip<T: Tile, const NP: usize>(&mut self, mut row: usize, end: usize, panels: [usize; NP]) {
        let tallest = if NP == STREAMS { T::TALLEST_OF_STREAMS } else { T::tallest(C::BITS) };
        while row < end {
            row += match (end - row).min(tallest) {
                0 | 1 => {
                    T::tile::<C, 1, NP>(self, row, panels);
                    1
                }
                2 => {
                    T::tile::<C, 2, NP>(self, row, panels);
                    2
                }
                3..6 => {
                    T::tile::<C, 3, NP>(self, row, panels);
                    3
                }
                6..12 => {
                    T::tile::<C, 6, NP>(self, row, panels);
                    6
                }
                _ => {
                    T::tile::<C, 12, NP>(self, row, panels);
                    12
                }
            };
        }
    }

    /// The weights of a panel; those of the first stand in for a panel that is not there.
    #[inline(always)]
    pub(crate) fn panel(&self, panel: usize) -> &'a [u8] {
        let bytes = group::panel_bytes::<C>(self.product.d_in);
        let panel = if panel < self.product.d_out.div_ceil(PANEL) { panel } else { 0 };
        &self.panels[panel * bytes..][..bytes]
    }

    #[inline(always)]
    pub(crate) fn put(&mut self, row: usize, panel: usize, sums: &[f32; PANEL]) {
        let y = self.out.panel(row, panel);
        if !y.is_empty() {
            write(y, *sums);
            self.product.finish(y, row, panel * PANEL);
        }
    }
}

impl<C: Codes> Kernel for Groups<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(mut self) {
        self.walk::<Plain<FMA>>();
    }
}

/// The tile in plain Rust.
struct Plain<const FMA: bool>;

impl<const FMA: bool> Tile for Plain<FMA> {
    const TALLEST_OF_STREAMS: usize = 1;

    #[inline(always)]
    fn tallest(_: usize) -> usize {
        1
    }

    #[inline(always)]
    fn tile<C: Codes, const MR: usize, const NP: usize>(task: &mut Groups<'_, C>, row: usize, panels: [usize; NP]) {
        let mut sums = [[0.0; PANEL]; NP];
        let (x, prefetch) = (task.x.row(row), Prefetch::of_weights());
        for index in 0..task.x.groups() {
            let (half, input) = (index % 2, x.group(index));
            let codes = x.codes(index);
            for p in 0..NP {
                let panel = task.panel(panels[p]);
                prefetch.ask(panel.as_ptr().wrapping_add(index / 2 * C::BYTES));
                let block = &panel[index / 2 * C::BYTES..][..C::BYTES];
                let mut whole = [0; PANEL];
                for (at, code) in codes.iter().enumerate() {
                    let code = i32::from(*code);
                    for (output, whole) in whole.iter_mut().enumerate() {
                        *whole += i32::from(C::get(block, output, half * GROUP + at)) * code;
                    }
                }
                for output in 0..PANEL {
                    let grid = C::grid(group::grid_bits(block, output, half));
                    // What is stored for zero counts for each code of the input; the start is -128 times their sum.
                    let zero = grid.zero + ZERO_STEPS * C::OFFSET;
                    let sum = (ZERO_STEPS * whole[output] + zero * (input.start >> 7)) as f32;
                    let factor = grid.scale / ZERO_STEPS as f32 * input.scale;
                    sums[p][output] = mul_add::<FMA>(sum, factor, sums[p][output]);
                }
            }
        }
        for p in 0..NP {
            task.put(row, panels[p], &sums[p]);
        }
    }
}
