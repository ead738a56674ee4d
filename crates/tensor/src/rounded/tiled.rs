//! Rounded products in the tiles of AMX, or in vectors of bf16.
#![allow(unsafe_code, reason = "CPU intrinsics, called where their features were detected")]

use std::arch::x86_64::*;

use crate::packed::parts::{load, split};
use crate::packed::tiles::Tiles;
use crate::packed::unpack::put;
use crate::packed::vectors;
use crate::simd::{Level, Simd};

use super::{LINE, Product, SIDE, STEP, TILE};

/// Writes a row of some tiles.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) fn set_row(numbers: &[f32], row: usize, tiles: &mut [u8]) {
    for (numbers, tile) in numbers.chunks(STEP).zip(tiles.chunks_exact_mut(TILE)) {
        let (low, high) = numbers.split_at(numbers.len().min(STEP / 2));
        let [bits] = split(load(low), load(high));
        let line = &mut tile[row * LINE..][..LINE];
        // SAFETY: a line has the bytes of a register.
        unsafe { _mm512_storeu_si512(line.as_mut_ptr().cast(), bits) };
    }
}

/// Writes a tile: two inputs of sixteen columns, and the next two.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) fn set_columns(inputs: &[&[f32]; STEP], first: usize, tile: &mut [u8]) {
    let columns = |input: &[f32]| match input.get(first..first + SIDE) {
        // SAFETY: sixteen floats fill a register.
        Some(whole) => unsafe { _mm512_loadu_ps(whole.as_ptr()) },
        None => load(&input[first.min(input.len())..]),
    };
    for (at, [even, odd]) in inputs.as_chunks::<2>().0.iter().enumerate() {
        put::<1>(split(columns(even), columns(odd)), at, tile);
    }
}

/// # Safety
/// The CPU has what the level says, which is one that multiplies bf16.
pub(super) unsafe fn multiply(product: &Product<'_>, simd: Simd, out: &mut [f32], stride: usize) {
    // SAFETY: by the contract.
    let tiles = (simd.level() == Level::Amx).then(|| unsafe { Tiles::new() });
    let mut edges = Edges([[0.0; EDGE]; EDGE]);
    for block in (product.of_rows.start / SIDE..product.of_rows.end.div_ceil(SIDE)).step_by(2) {
        for panel in product.of_columns.clone().step_by(2) {
            Pairs { product, tiles: tiles.as_ref(), block, panel }.run(out, stride, &mut edges);
        }
    }
}

/// Rows, and columns, of four tiles.
const EDGE: usize = 2 * SIDE;

/// Room for tiles that reach over the edge of an output.
#[repr(C, align(64))]
struct Edges([[f32; EDGE]; EDGE]);

/// Twice sixteen rows and twice sixteen columns.
struct Pairs<'a> {
    product: &'a Product<'a>,
    /// The registers of AMX, where the CPU has them.
    tiles: Option<&'a Tiles>,
    block: usize,
    panel: usize,
}

impl Pairs<'_> {
    fn run(&self, out: &mut [f32], stride: usize, edges: &mut Edges) {
        let Product { of_rows, of_columns, .. } = self.product;
        let (row, column) = (self.block * SIDE - of_rows.start, self.panel * SIDE);
        let (height, width) = (of_rows.len() - row, self.product.last_column() - column);
        if height >= EDGE && width >= EDGE {
            let out = &mut out[row * stride + column..][..(EDGE - 1) * stride + EDGE];
            // SAFETY: there is room for four tiles.
            return unsafe { self.multiply(out.as_mut_ptr(), stride) };
        }
        // SAFETY: as above.
        unsafe { self.multiply(edges.0.as_mut_ptr().cast(), EDGE) };
        let width = width.min(EDGE).min((of_columns.end - self.panel) * SIDE);
        for (row, sums) in (row..row + height.min(EDGE)).zip(&edges.0) {
            out[row * stride + column..][..width].copy_from_slice(&sums[..width]);
        }
    }

    /// Writes the sums of four tiles, `stride` floats from one row to the next. Where there are but sixteen rows or columns, tiles
    /// of AMX take them twice.
    ///
    /// # Safety
    /// The CPU has what the product was asked for with, and there is room for four tiles.
    unsafe fn multiply(&self, out: *mut f32, stride: usize) {
        let Product { rows, columns, of_rows, of_columns, of_inputs } = self.product;
        let some = |tiles: &[u8]| tiles[of_inputs.start * TILE..of_inputs.end * TILE].as_ptr();
        let blocks =
            [self.block, (self.block + 1).min((of_rows.end - 1) / SIDE)].map(|block| some(rows.0.tiles(block)));
        let panels = [self.panel, (self.panel + 1).min(of_columns.end - 1)].map(|panel| some(columns.0.tiles(panel)));
        // SAFETY: all have a tile for each step, and there is room by the contract.
        unsafe {
            let under = out.add(SIDE * stride);
            let Some(tiles) = self.tiles else {
                vectors::multiply(blocks[0], panels, of_inputs.len(), [out, out.add(SIDE)], stride);
                if blocks[1] != blocks[0] {
                    vectors::multiply(blocks[1], panels, of_inputs.len(), [under, under.add(SIDE)], stride);
                }
                return;
            };
            tiles.zero_pairs();
            for step in 0..of_inputs.len() {
                tiles.load::<4>(blocks[0].add(step * TILE));
                tiles.load::<6>(panels[0].add(step * TILE));
                tiles.load::<5>(blocks[1].add(step * TILE));
                tiles.load::<7>(panels[1].add(step * TILE));
                tiles.multiply_pairs();
            }
            tiles.store::<0>(out.cast(), stride * 4);
            tiles.store::<1>(under.cast(), stride * 4);
            tiles.store::<2>(out.add(SIDE).cast(), stride * 4);
            tiles.store::<3>(under.add(SIDE).cast(), stride * 4);
        }
    }
}
