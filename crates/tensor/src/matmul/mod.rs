//! Matrix products of many rows by a weight matrix, parallel over blocks of outputs.
//!
//! Each output is one sum in a fixed order, whatever the number of rows, of threads and the place
//! of its row: a prompt in pieces gives the bits of a prompt in one pass.

mod in_out;
mod out_in;

pub use out_in::dots;

use crate::device::Device;
use crate::lanes::Element;

/// `y [rows, d_out] = x [rows, d_in] Wᵀ + bias`, or `+=`.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) rows: usize,
    pub(crate) d_in: usize,
    pub(crate) d_out: usize,
    /// Whether the product is added to what `y` holds.
    pub(crate) add: bool,
}

impl Product<'_> {
    /// For `w` `[d_out, d_in]`.
    pub(crate) fn out_in<E: Element>(&self, device: &Device, w: &[E], y: &mut [f32]) {
        assert_eq!(w.len(), self.d_in * self.d_out, "the matrix is whole");
        let simd = device.simd();
        device.threads().columns(y, self.d_out, self.step(device), |block| {
            simd.run(out_in::Block { product: self, w, block });
        });
    }

    /// For `w` `[d_in, d_out]`.
    pub(crate) fn in_out<E: Element>(&self, device: &Device, w: &[E], y: &mut [f32]) {
        assert_eq!(w.len(), self.d_in * self.d_out, "the matrix is whole");
        let simd = device.simd();
        device.threads().columns(y, self.d_out, self.step(device), |block| {
            simd.run(in_out::Block { product: self, w, block });
        });
    }

    /// Outputs of one task: few enough to keep all threads busy and the block of weights in the
    /// second-level cache, many enough that starting a task costs nothing beside it.
    fn step(&self, device: &Device) -> usize {
        const SMALL: usize = 1 << 16;
        let work = self.rows * self.d_in;
        let least = SMALL.div_ceil(work.max(1)).max(16);
        let share = self.d_out.div_ceil(device.threads().count() * 4);
        share.min(256).max(least).next_multiple_of(64)
    }

    /// Adds the bias to a block of one row, or nothing.
    #[inline(always)]
    pub(crate) fn add_bias(&self, y: &mut [f32], start: usize) {
        if let Some(bias) = self.bias {
            y.iter_mut().zip(&bias[start..]).for_each(|(y, b)| *y += b);
        }
    }

    /// Writes sums to a block of one row, or adds them, and adds the bias.
    #[inline(always)]
    pub(crate) fn put(&self, y: &mut [f32], sums: &[f32], start: usize) {
        if self.add {
            y.iter_mut().zip(sums).for_each(|(y, sum)| *y += sum);
        } else {
            y.iter_mut().zip(sums).for_each(|(y, sum)| *y = *sum);
        }
        self.add_bias(y, start);
    }
}
