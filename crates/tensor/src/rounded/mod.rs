//! Products of matrices that a kernel lays out itself: numbers are rounded to bf16, sums are in f32.
//!
//! Where the CPU multiplies bf16 they are made in tiles or vectors of it, elsewhere number by number. No sum depends on other rows or columns.
#![allow(unsafe_code, reason = "calls functions compiled for CPU features that were detected")]

mod plain;
#[cfg(target_arch = "x86_64")]
mod tiled;

use std::ops::Range;

use crate::buffer::Lent;
use crate::device::Device;

/// Rows, and columns, that stand together.
pub const SIDE: usize = 16;
/// Inputs that stand together.
pub const STEP: usize = 32;

/// Bytes of sixteen rows, or columns, of 32 inputs.
const TILE: usize = SIDE * STEP * 2;
/// Bytes of 32 inputs of a row, or of two inputs of sixteen columns.
const LINE: usize = TILE / SIDE;

/// Tiles of one side, those of sixteen rows or columns one after the other by their inputs. Memory is the device's.
struct Side<'a> {
    device: &'a Device,
    buffer: Lent<'a>,
    count: usize,
    steps: usize,
}

impl<'a> Side<'a> {
    fn new(device: &'a Device, count: usize, inputs: usize) -> Self {
        let steps = inputs.div_ceil(STEP);
        let buffer = device.pool.lend(count.div_ceil(SIDE) * steps * TILE / 4);
        Self { device, buffer, count, steps }
    }

    /// The tiles of sixteen rows or columns.
    fn tiles(&self, block: usize) -> &[u8] {
        &self.buffer.bytes()[block * self.steps * TILE..][..self.steps * TILE]
    }

    fn tiles_mut(&mut self, block: usize) -> &mut [u8] {
        &mut self.buffer.bytes_mut()[block * self.steps * TILE..][..self.steps * TILE]
    }

    fn in_tiles(&self) -> bool {
        self.device.simd().has_bf16()
    }
}

/// The left side of products, `[rows, inputs]`.
pub struct Rows<'a>(Side<'a>);

impl<'a> Rows<'a> {
    /// Room for so many rows of so many inputs, of unspecified contents.
    pub fn new(device: &'a Device, rows: usize, inputs: usize) -> Self {
        Self(Side::new(device, rows, inputs))
    }

    /// Sets inputs of a row from those of step `first` on; those that are missing from the last step become zeros.
    pub fn set(&mut self, row: usize, first: usize, numbers: &[f32]) {
        assert!(row < self.0.count, "row {row} of {}", self.0.count);
        let in_tiles = self.0.in_tiles();
        let tiles = &mut self.0.tiles_mut(row / SIDE)[first * TILE..(first + numbers.len().div_ceil(STEP)) * TILE];
        match in_tiles {
            // SAFETY: a device has a level only where its features were detected.
            #[cfg(target_arch = "x86_64")]
            true => unsafe { tiled::set_row(numbers, row % SIDE, tiles) },
            _ => plain::set_row(numbers, row % SIDE, tiles),
        }
    }
}

/// The right side of products, `[inputs, columns]`.
pub struct Columns<'a>(Side<'a>);

impl<'a> Columns<'a> {
    /// Room for so many inputs of so many columns, of unspecified contents.
    pub fn new(device: &'a Device, inputs: usize, columns: usize) -> Self {
        Self(Side::new(device, columns, inputs))
    }

    /// Sets the 32 inputs of a step, whose numbers start at sixteen columns `blocks.start`; missing ones become zeros.
    pub fn set(&mut self, blocks: Range<usize>, step: usize, inputs: &[&[f32]; STEP]) {
        let in_tiles = self.0.in_tiles();
        for (at, block) in blocks.enumerate() {
            let tile = &mut self.0.tiles_mut(block)[step * TILE..][..TILE];
            match in_tiles {
                // SAFETY: a device has a level only where its features were detected.
                #[cfg(target_arch = "x86_64")]
                true => unsafe { tiled::set_columns(inputs, at * SIDE, tile) },
                _ => plain::set_columns(inputs, at * SIDE, tile),
            }
        }
    }
}

/// A product of some rows with some columns over some inputs.
pub struct Product<'a> {
    /// The left side.
    pub rows: &'a Rows<'a>,
    /// The right side.
    pub columns: &'a Columns<'a>,
    /// Which rows; the first is a multiple of [`SIDE`].
    pub of_rows: Range<usize>,
    /// Which columns, in multiples of [`SIDE`].
    pub of_columns: Range<usize>,
    /// Which inputs, in multiples of [`STEP`].
    pub of_inputs: Range<usize>,
}

impl Product<'_> {
    /// Writes the sums of each row, `stride` floats from one to the next; a column has the place of its number.
    pub fn run(&self, out: &mut [f32], stride: usize) {
        let (rows, columns) = (&self.rows.0, &self.columns.0);
        assert!(self.of_rows.start.is_multiple_of(SIDE) && self.of_rows.end <= rows.count, "rows that are there");
        assert!(self.of_columns.end <= columns.count.div_ceil(SIDE), "columns that are there");
        assert!(self.of_inputs.end <= rows.steps.min(columns.steps), "inputs that both sides have");
        assert!(stride >= self.last_column() && out.len() >= self.of_rows.len() * stride, "room for the sums");
        if self.of_rows.is_empty() || self.of_columns.is_empty() {
            return;
        }
        match rows.in_tiles() {
            // SAFETY: a device has a level only where its features were detected.
            #[cfg(target_arch = "x86_64")]
            true => unsafe { tiled::multiply(self, rows.device.simd(), out, stride) },
            _ => plain::multiply(self, out, stride),
        }
    }

    /// The end of the columns.
    fn last_column(&self) -> usize {
        (self.of_columns.end * SIDE).min(self.columns.0.count)
    }
}
