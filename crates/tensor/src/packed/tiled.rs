//! Products of many rows in tiles of bf16: with AMX sixteen rows by sixteen outputs by 32 inputs in one instruction.
//!
//! AMX multiplies floats as sums of bf16 numbers, which keeps their precision, unless less is asked for; codes of 8 and 4 bits
//! are rounded to bf16, as are the inputs that they are multiplied with. Vectors of bf16 multiply numbers that are rounded.
#![allow(unsafe_code, reason = "CPU intrinsics, called where their features were detected")]

use std::arch::x86_64::*;

use crate::matmul::Product;
use crate::simd::Level;

use super::PANEL;
use super::blocks::{Block, Outputs};
use super::parts::{Parts, ROWS};
use super::tiles::{LINE, TILE, Tiles};
use super::unpack::Unpack;
use super::vectors;

/// The most panels of a task: their tiles stay in the second-level cache while all rows pass.
pub(crate) const MOST_PANELS: usize = 8;
/// Tiles of a block of rows, in all its parts, before sums are added to the outputs: they stay in the second-level cache while the
/// panels pass.
const DEPTH: usize = 48;

/// One task.
pub(crate) struct Tiled<'a> {
    pub(crate) product: &'a Product<'a>,
    pub(crate) panels: &'a [u8],
    pub(crate) panel_bytes: usize,
    pub(crate) x: &'a Parts<'a>,
    pub(crate) block: Block,
    pub(crate) out: Outputs<'a>,
}

impl Tiled<'_> {
    pub(crate) fn run<U: Unpack>(mut self) {
        let depth = DEPTH / U::INPUTS;
        let count = self.block.range.len();
        let bytes = depth * U::WEIGHTS * TILE;
        let device = self.x.device();
        let mut scratch = device.pool.lend((4 * TILE + count * bytes).div_ceil(4));
        // SAFETY: the level has these features.
        let tiles = (device.simd().level() == Level::Amx).then(|| unsafe { Tiles::new() });
        let (sums, weights) = scratch.bytes_mut().split_at_mut(4 * TILE);
        for first in (0..self.x.steps()).step_by(depth) {
            let depth = depth.min(self.x.steps() - first);
            for (at, out) in self.block.range.clone().zip(weights.chunks_exact_mut(bytes)) {
                let panel = &self.panels[at * self.panel_bytes..][..self.panel_bytes];
                for (step, out) in out.chunks_exact_mut(U::WEIGHTS * TILE).enumerate().take(depth) {
                    // SAFETY: as above.
                    unsafe { U::tiles(panel, self.product.d_in, first + step, out) };
                }
            }
            let piece = Piece { tiles: tiles.as_ref(), x: self.x, first, depth };
            for block in (0..self.x.blocks()).step_by(2) {
                let height = 2.min(self.x.blocks() - block);
                for (at, weights) in weights.chunks(2 * bytes).enumerate().take(count.div_ceil(2)) {
                    let width = 2.min(count - 2 * at);
                    let weights = [0, width - 1].map(|panel| weights[panel * bytes..].as_ptr());
                    piece.multiply::<U>([block, height], weights, width, sums);
                    // SAFETY: as above.
                    unsafe { self.put(&piece, [block, height], [2 * at, width], sums) };
                }
            }
        }
    }

    /// Adds sums to the outputs of some blocks of rows and some panels of the task.
    ///
    /// # Safety
    /// The CPU has AVX-512.
    #[target_feature(enable = "avx512f")]
    unsafe fn put(&mut self, piece: &Piece<'_>, [block, height]: [usize; 2], [first, width]: [usize; 2], sums: &[u8]) {
        let starts = piece.first == 0;
        let ends = piece.first + piece.depth == self.x.steps();
        for panel in 0..width {
            let at = self.block.range.start + first + panel;
            let outputs = at * PANEL..((at + 1) * PANEL).min(self.product.d_out);
            let lanes = ((1_u32 << outputs.len()) - 1) as __mmask16;
            let bias = self.product.bias.filter(|_| ends).map(|bias| &bias[outputs.clone()]);
            let onto = self.product.onto.filter(|_| ends);
            for row in 0..(height * ROWS).min(self.product.rows - block * ROWS) {
                let line = &sums[(2 * panel + row / ROWS) * TILE + row % ROWS * LINE..][..LINE];
                let y = self.out.panel(block * ROWS + row, at).as_mut_ptr();
                // SAFETY: a line has sixteen sums; the mask has a bit for each output of the panel.
                unsafe {
                    let mut sums = _mm512_loadu_ps(line.as_ptr().cast());
                    if !starts {
                        sums = _mm512_add_ps(sums, _mm512_maskz_loadu_ps(lanes, y));
                    }
                    if let Some(bias) = bias {
                        sums = _mm512_add_ps(sums, _mm512_maskz_loadu_ps(lanes, bias.as_ptr()));
                    }
                    if let Some(onto) = onto {
                        let x = &onto[(block * ROWS + row) * self.product.d_out..][outputs.clone()];
                        sums = _mm512_add_ps(sums, _mm512_maskz_loadu_ps(lanes, x.as_ptr()));
                    }
                    _mm512_mask_storeu_ps(y, lanes, sums);
                }
            }
        }
    }
}

/// Some of the inputs of a product.
struct Piece<'a> {
    /// The registers of AMX, where the CPU has them.
    tiles: Option<&'a Tiles>,
    x: &'a Parts<'a>,
    first: usize,
    depth: usize,
}

impl Piece<'_> {
    /// Two blocks of rows by two panels; where there is but one, it is taken twice. The sums of a panel's two blocks stand together.
    #[inline(always)]
    fn multiply<U: Unpack>(&self, [block, height]: [usize; 2], weights: [*const u8; 2], width: usize, sums: &mut [u8]) {
        let step = self.x.count() * TILE;
        let rows = [block, block + height - 1].map(|block| self.x.block(block)[self.first * step..].as_ptr());
        assert!(sums.len() >= 4 * TILE, "room for four tiles");
        let Some(tiles) = self.tiles else {
            assert!(U::WEIGHTS == 1 && self.x.count() == 1, "vectors multiply rounded numbers");
            // SAFETY: rows and panels have a tile for each step, and a device that multiplies in tiles has AVX-512 with BF16.
            return unsafe { self.in_vectors(&rows[..height], weights, width, sums.as_mut_ptr().cast()) };
        };
        tiles.zero_pairs();
        // SAFETY: panels and rows have a tile of each part for each step.
        unsafe {
            for at in 0..self.depth {
                let mut last = [usize::MAX; 2];
                for &[weight, input] in U::TERMS.iter().filter(|[_, input]| *input < self.x.count()) {
                    if weight != last[0] {
                        let [w0, w1] = weights.map(|tiles| tiles.add((at * U::WEIGHTS + weight) * TILE));
                        tiles.load::<6>(w0);
                        tiles.load::<7>(w1);
                    }
                    if input != last[1] {
                        let [x0, x1] = rows.map(|tiles| tiles.add(at * step + input * TILE));
                        tiles.load::<4>(x0);
                        tiles.load::<5>(x1);
                    }
                    tiles.multiply_pairs();
                    last = [weight, input];
                }
            }
            tiles.store::<0>(sums.as_mut_ptr(), LINE);
            tiles.store::<1>(sums.as_mut_ptr().add(TILE), LINE);
            tiles.store::<2>(sums.as_mut_ptr().add(2 * TILE), LINE);
            tiles.store::<3>(sums.as_mut_ptr().add(3 * TILE), LINE);
        }
    }

    /// The same for as many blocks and panels as there are.
    ///
    /// # Safety
    /// The CPU has AVX-512 with BF16, rows and panels have a tile for each step, and there is room for four tiles of sums.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn in_vectors(&self, rows: &[*const u8], weights: [*const u8; 2], width: usize, sums: *mut f32) {
        const SUMS: usize = ROWS * PANEL;
        for (block, rows) in rows.iter().enumerate() {
            // SAFETY: by the contract.
            unsafe {
                let out = [sums.add(block * SUMS), sums.add((2 + block) * SUMS)];
                match width {
                    1 => vectors::multiply(*rows, [weights[0]], self.depth, [out[0]], PANEL),
                    _ => vectors::multiply(*rows, weights, self.depth, out, PANEL),
                }
            }
        }
    }
}
