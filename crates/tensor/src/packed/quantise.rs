//! Activations in 8 bits: a scale for each group of inputs, and the sum of its codes.

use crate::buffer::Buffer;
use crate::device::Device;

use super::GROUP;
use super::group::BLOCK;

/// The rows of a product's input in 8 bits: of each row the codes, then what [`Group`] says of every group.
pub(crate) struct Quantised<'a> {
    device: &'a Device,
    buffer: Buffer,
    rows: usize,
    /// Groups of a row, those included that fill its last block of inputs up.
    groups: usize,
}

/// A group of a row beside its codes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Group {
    pub(crate) scale: f32,
    pub(crate) sum: i32,
}

const GROUP_BYTES: usize = size_of::<Group>();

/// One row.
#[derive(Clone, Copy)]
pub(crate) struct InputRow<'a> {
    /// The codes, whole blocks of inputs.
    pub(crate) codes: &'a [u8],
    groups: &'a [u8],
}

impl<'a> Quantised<'a> {
    pub(crate) fn new(device: &'a Device, x: &[f32], rows: usize, d_in: usize) -> Self {
        let groups = d_in.div_ceil(BLOCK) * 2;
        let row_bytes = groups * (GROUP + GROUP_BYTES);
        let mut buffer = device.pool.take((rows * row_bytes).div_ceil(4));
        let simd = device.simd();
        let rows_each = (1_usize << 14).div_ceil(d_in.max(1));
        let bytes = &mut buffer.bytes_mut()[..rows * row_bytes];
        device.threads().chunks(bytes, rows_each * row_bytes, |task, out| {
            let first = task * rows_each * d_in;
            let x = &x[first..(first + rows_each * d_in).min(rows * d_in)];
            simd.run(QuantiseRows { x, d_in, groups, out });
        });
        Self { device, buffer, rows, groups }
    }

    /// A row.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> InputRow<'_> {
        debug_assert!(row < self.rows, "a row of the input");
        let row_bytes = self.groups * (GROUP + GROUP_BYTES);
        let (codes, groups) = self.buffer.bytes()[row * row_bytes..][..row_bytes].split_at(self.groups * GROUP);
        InputRow { codes, groups }
    }

    /// Groups of a row: an even number.
    pub(crate) fn groups(&self) -> usize {
        self.groups
    }
}

impl Drop for Quantised<'_> {
    fn drop(&mut self) {
        self.device.pool.give(std::mem::take(&mut self.buffer));
    }
}

impl InputRow<'_> {
    /// What is known of a group.
    #[inline(always)]
    pub(crate) fn group(&self, group: usize) -> Group {
        let bytes = &self.groups[group * GROUP_BYTES..][..GROUP_BYTES];
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Group { scale: f32::from_bits(word(0)), sum: word(4).cast_signed() }
    }

    /// Where [`group`](Self::group) reads.
    pub(crate) fn groups(&self) -> *const Group {
        self.groups.as_ptr().cast()
    }
}

/// Some rows.
struct QuantiseRows<'a> {
    x: &'a [f32],
    d_in: usize,
    groups: usize,
    out: &'a mut [u8],
}

impl crate::simd::Kernel for QuantiseRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let row_bytes = self.groups * (GROUP + GROUP_BYTES);
        let rows = self.x.chunks_exact(self.d_in.max(1)).zip(self.out.chunks_exact_mut(row_bytes.max(1)));
        for (x, out) in rows {
            let (codes, groups) = out.split_at_mut(self.groups * GROUP);
            let groups = groups.chunks_exact_mut(GROUP_BYTES);
            for (at, (codes, out)) in codes.chunks_exact_mut(GROUP).zip(groups).enumerate() {
                let mut group = [0.0_f32; GROUP];
                let x = &x[(at * GROUP).min(self.d_in)..(at * GROUP + GROUP).min(self.d_in)];
                group[..x.len()].copy_from_slice(x);
                let Group { scale, sum } = quantise(&group, codes);
                out[..4].copy_from_slice(&scale.to_le_bytes());
                out[4..].copy_from_slice(&sum.to_le_bytes());
            }
        }
    }
}

/// The codes of a group.
#[inline(always)]
fn quantise(group: &[f32; GROUP], codes: &mut [u8]) -> Group {
    let largest =
        group.iter().fold(0.0_f32, |largest, x| if x.abs() > largest || x.is_nan() { x.abs() } else { largest });
    let scale = largest / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let mut sum = 0;
    for (x, out) in group.iter().zip(codes) {
        // Adding 1.5·2^23 rounds to the nearest even integer; the low byte is its two's complement.
        let code = ((x * inverse + 12_582_912.0).to_bits() as u8).cast_signed();
        sum += i32::from(code);
        *out = code.cast_unsigned();
    }
    Group { scale, sum }
}
