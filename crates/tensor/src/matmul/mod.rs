//! Matrix products of many rows by a weight matrix, parallel over blocks of outputs.
//!
//! Each output is one sum in a fixed order, whatever the number of rows, of threads and the place
//! of its row: a prompt in pieces gives the bits of a prompt in one pass.

mod in_out;
mod out_in;

pub use out_in::dots;

use crate::device::Device;
use crate::lanes::Element;
use crate::normed::Norm;

/// `y [rows, d_out] = x [rows, d_in] Wᵀ + bias + onto`.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a> {
    pub(crate) x: &'a [f32],
    /// What `x` goes through first; none where kernels read it as it is.
    pub(crate) norm: Option<&'a dyn Norm>,
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) rows: usize,
    pub(crate) d_in: usize,
    pub(crate) d_out: usize,
    /// What the product is added to, `[rows, d_out]`: the same bits as a sum taken after it.
    pub(crate) onto: Option<&'a [f32]>,
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

    /// Adds a block of one row of what the product is added to, or nothing.
    #[inline(always)]
    pub(crate) fn add_onto(&self, y: &mut [f32], row: usize, start: usize) {
        if let Some(onto) = self.onto {
            y.iter_mut().zip(&onto[row * self.d_out + start..]).for_each(|(y, x)| *y += x);
        }
    }

    /// Adds what comes after the sums to a block of one row.
    #[inline(always)]
    pub(crate) fn finish(&self, y: &mut [f32], row: usize, start: usize) {
        self.add_bias(y, start);
        self.add_onto(y, row, start);
    }

    /// Writes sums, and what comes after them, to a block of one row.
    #[inline(always)]
    pub(crate) fn put(&self, y: &mut [f32], sums: &[f32], row: usize, start: usize) {
        y.iter_mut().zip(sums).for_each(|(y, sum)| *y = *sum);
        self.finish(y, row, start);
    }
}
