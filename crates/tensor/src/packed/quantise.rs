//! Activations in 8 bits: a scale for each group of inputs, and the sum of its codes.

use crate::buffer::Buffer;
use crate::device::Device;

use super::GROUP;

/// The rows of a product's input in 8 bits.
pub(crate) struct Quantised<'a> {
    device: &'a Device,
    buffer: Buffer,
    rows: usize,
    groups: usize,
}

/// Bytes of a group: 32 codes, the scale and the sum.
const BYTES: usize = GROUP + 8;

/// One group of a row.
#[derive(Clone, Copy)]
pub(crate) struct InputGroup<'a> {
    pub(crate) codes: &'a [u8; GROUP],
    pub(crate) scale: f32,
    pub(crate) sum: i32,
}

impl<'a> Quantised<'a> {
    pub(crate) fn new(device: &'a Device, x: &[f32], rows: usize, d_in: usize) -> Self {
        let groups = d_in.div_ceil(GROUP);
        let mut buffer = device.pool.take((rows * groups * BYTES).div_ceil(4));
        let row_bytes = groups * BYTES;
        let simd = device.simd();
        let per_task = (1_usize << 14).div_ceil(d_in.max(1));
        let bytes = &mut buffer.bytes_mut()[..rows * row_bytes];
        device.threads().chunks(bytes, per_task * row_bytes, |task, out| {
            for (at, out) in out.chunks_exact_mut(row_bytes).enumerate() {
                let row = &x[(task * per_task + at) * d_in..][..d_in];
                simd.run(QuantiseRow { row, out });
            }
        });
        Self { device, buffer, rows, groups }
    }

    /// A group of a row.
    #[inline(always)]
    pub(crate) fn group(&self, row: usize, group: usize) -> InputGroup<'_> {
        debug_assert!(row < self.rows && group < self.groups, "a group of the input");
        let bytes = &self.buffer.bytes()[(row * self.groups + group) * BYTES..][..BYTES];
        let codes: &[u8; GROUP] = bytes[..GROUP].try_into().expect("32 codes");
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        InputGroup { codes, scale: f32::from_bits(word(GROUP)), sum: word(GROUP + 4).cast_signed() }
    }
}

impl Drop for Quantised<'_> {
    fn drop(&mut self) {
        self.device.pool.give(std::mem::take(&mut self.buffer));
    }
}

struct QuantiseRow<'a> {
    row: &'a [f32],
    out: &'a mut [u8],
}

impl crate::simd::Kernel for QuantiseRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        for (x, out) in self.row.chunks(GROUP).zip(self.out.chunks_exact_mut(BYTES)) {
            let mut group = [0.0_f32; GROUP];
            group[..x.len()].copy_from_slice(x);
            let largest = group
                .iter()
                .fold(0.0_f32, |largest, x| if x.abs() > largest || x.is_nan() { x.abs() } else { largest });
            let scale = largest / 127.0;
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            let mut sum = 0;
            for (x, out) in group.iter().zip(&mut out[..GROUP]) {
                // Adding 1.5·2^23 rounds to the nearest even integer; the low byte is its two's complement.
                let code = ((x * inverse + 12_582_912.0).to_bits() as u8).cast_signed();
                sum += i32::from(code);
                *out = code.cast_unsigned();
            }
            out[GROUP..GROUP + 4].copy_from_slice(&scale.to_le_bytes());
            out[GROUP + 4..].copy_from_slice(&sum.to_le_bytes());
        }
    }
}
