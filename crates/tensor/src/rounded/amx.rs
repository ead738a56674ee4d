//! Rounded products in the tiles of AMX.
#![allow(unsafe_code, reason = "CPU intrinsics, called where their features were detected")]

use std::arch::x86_64::*;

use crate::packed::parts::{load, split};
use crate::packed::tiles::Tiles;
use crate::packed::unpack::put;

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
/// The CPU has AMX for bf16, and the system lets this process use it.
pub(super) unsafe fn multiply(product: &Product<'_>, out: &mut [f32], stride: usize) {
    // SAFETY: by the contract.
    let tiles = unsafe { Tiles::new() };
    let mut edges = Edges([0; 4 * TILE]);
    for block in (product.of_rows.start / SIDE..product.of_rows.end.div_ceil(SIDE)).step_by(2) {
        for panel in product.of_columns.clone().step_by(2) {
            Pairs { product, tiles: &tiles, block, panel }.run(out, stride, &mut edges.0);
        }
    }
}

/// Room for tiles that reach over the edge of an output.
#[repr(C, align(64))]
struct Edges([u8; 4 * TILE]);

/// Twice sixteen rows and twice sixteen columns.
struct Pairs<'a> {
    product: &'a Product<'a>,
    tiles: &'a Tiles,
    block: usize,
    panel: usize,
}

impl Pairs<'_> {
    fn run(&self, out: &mut [f32], stride: usize, edges: &mut [u8; 4 * TILE]) {
        self.multiply();
        let Product { of_rows, of_columns, .. } = self.product;
        let (row, column) = (self.block * SIDE - of_rows.start, self.panel * SIDE);
        let (height, width) = (of_rows.len() - row, self.product.last_column() - column);
        let tiles = self.tiles;
        if height >= 2 * SIDE && width >= 2 * SIDE {
            assert!(out.len() >= (row + 2 * SIDE - 1) * stride + column + 2 * SIDE, "room for four tiles");
            // SAFETY: by the assertion.
            unsafe {
                let out = out.as_mut_ptr().add(row * stride + column);
                tiles.store::<0>(out.cast(), stride * 4);
                tiles.store::<1>(out.add(SIDE * stride).cast(), stride * 4);
                tiles.store::<2>(out.add(SIDE).cast(), stride * 4);
                tiles.store::<3>(out.add(SIDE * stride + SIDE).cast(), stride * 4);
            }
            return;
        }
        // SAFETY: there is room for four tiles.
        unsafe {
            let edges = edges.as_mut_ptr();
            tiles.store::<0>(edges, 2 * LINE);
            tiles.store::<1>(edges.add(2 * TILE), 2 * LINE);
            tiles.store::<2>(edges.add(LINE), 2 * LINE);
            tiles.store::<3>(edges.add(2 * TILE + LINE), 2 * LINE);
        }
        let width = width.min(2 * SIDE).min((of_columns.end - self.panel) * SIDE);
        for (row, sums) in (row..row + height.min(2 * SIDE)).zip(edges.as_chunks::<{ 2 * LINE }>().0) {
            let out = &mut out[row * stride + column..][..width];
            let sums = sums.as_chunks::<4>().0;
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = f32::from_le_bytes(*sum));
        }
    }

    /// Leaves the sums of the first columns in registers 0 and 1, those of the others in 2 and 3. Where there are but sixteen rows
    /// or columns, they are taken twice.
    #[inline(always)]
    fn multiply(&self) {
        let Product { rows, columns, of_rows, of_columns, of_inputs } = self.product;
        let blocks = [self.block, (self.block + 1).min((of_rows.end - 1) / SIDE)].map(|block| rows.0.tiles(block));
        let panels = [self.panel, (self.panel + 1).min(of_columns.end - 1)].map(|panel| columns.0.tiles(panel));
        let tiles = self.tiles;
        tiles.zero_pairs();
        for step in of_inputs.clone() {
            let [x0, x1] = blocks.map(|tiles| tiles[step * TILE..][..TILE].as_ptr());
            let [w0, w1] = panels.map(|tiles| tiles[step * TILE..][..TILE].as_ptr());
            // SAFETY: each is a whole tile.
            unsafe {
                tiles.load::<4>(x0);
                tiles.load::<6>(w0);
                tiles.load::<5>(x1);
                tiles.load::<7>(w1);
            }
            tiles.multiply_pairs();
        }
    }
}
