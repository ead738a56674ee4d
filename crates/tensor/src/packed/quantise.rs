//! Activations in 8 bits: a scale for each group of inputs, and what the sums of its products start at.

use crate::buffer::Lent;
use crate::device::Device;
use crate::normed::Rows;

use super::GROUP;
use super::group::BLOCK;

/// Rows that lie together, fewer at the end.
pub(crate) const TILE: usize = 12;

/// Bytes of a group of a row.
pub(crate) const GROUP_BYTES: usize = GROUP + 8;

/// The rows of a product's input in 8 bits, in tiles of [`TILE`] rows. A tile holds of each group the scales of all its rows,
/// then what their sums start at, then the codes, four inputs of every row together.
pub(crate) struct Quantised<'a> {
    buffer: Lent<'a>,
    rows: usize,
    /// Groups of a row, those included that fill its last block of inputs up.
    groups: usize,
}

/// One row of a tile.
#[derive(Clone, Copy)]
pub(crate) struct InputRow<'a> {
    tile: &'a [u8],
    /// Rows of the tile.
    pub(crate) height: usize,
    /// Which of them it is.
    row: usize,
}

/// A group of a row beside its codes.
pub(crate) struct Group {
    pub(crate) scale: f32,
    /// The sum of its products with codes of no bits that are stored 128 too large: -128 times the sum of its codes.
    pub(crate) start: i32,
}

impl<'a> Quantised<'a> {
    pub(crate) fn new(device: &'a Device, x: Rows<'_>, rows: usize) -> Self {
        let d_in = x.width;
        let groups = d_in.div_ceil(BLOCK) * 2;
        let row_bytes = groups * GROUP_BYTES;
        let mut buffer = device.pool.lend((rows * row_bytes).div_ceil(4));
        let simd = device.simd();
        let rows_each = (1_usize << 14).div_ceil(d_in.max(1)).next_multiple_of(TILE);
        let bytes = &mut buffer.bytes_mut()[..rows * row_bytes];
        device.threads().chunks(bytes, rows_each * row_bytes, |task, out| {
            x.lend(simd, task * rows_each..(task + 1) * rows_each, |x| simd.run(QuantiseRows { x, d_in, groups, out }));
        });
        Self { buffer, rows, groups }
    }

    /// A row.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> InputRow<'_> {
        debug_assert!(row < self.rows, "a row of the input");
        let (first, row_bytes) = (row - row % TILE, self.groups * GROUP_BYTES);
        let height = TILE.min(self.rows - first);
        let tile = &self.buffer.bytes()[first * row_bytes..][..height * row_bytes];
        InputRow { tile, height, row: row - first }
    }

    /// Groups of a row: an even number.
    pub(crate) fn groups(&self) -> usize {
        self.groups
    }
}

impl<'a> InputRow<'a> {
    /// What is known of a group.
    #[inline(always)]
    pub(crate) fn group(&self, group: usize) -> Group {
        let word = |at: usize| u32::from_le_bytes(self.word(group, at));
        Group { scale: f32::from_bits(word(0)), start: word(1).cast_signed() }
    }

    /// The codes of a group.
    #[inline(always)]
    pub(crate) fn codes(&self, group: usize) -> [i8; GROUP] {
        std::array::from_fn(|at| self.word(group, 2 + at / 4)[at % 4].cast_signed())
    }

    /// The tile from the row's first word on; its next stands `height` words on.
    #[inline(always)]
    pub(crate) fn words(&self) -> &'a [u8] {
        &self.tile[4 * self.row..]
    }

    #[inline(always)]
    fn word(&self, group: usize, word: usize) -> [u8; 4] {
        let at = group * self.height * GROUP_BYTES + (word * self.height + self.row) * 4;
        self.tile[at..][..4].try_into().expect("four bytes")
    }
}

/// Some tiles.
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
        let row_bytes = self.groups * GROUP_BYTES;
        let tiles = self.x.chunks((TILE * self.d_in).max(1)).zip(self.out.chunks_mut((TILE * row_bytes).max(1)));
        for (x, out) in tiles {
            let height = out.len() / row_bytes;
            for (row, x) in x.chunks_exact(self.d_in).enumerate() {
                for (at, out) in out.chunks_exact_mut(height * GROUP_BYTES).enumerate() {
                    let x = &x[(at * GROUP).min(self.d_in)..(at * GROUP + GROUP).min(self.d_in)];
                    let (group, codes) = quantise(&whole(x));
                    let mut put = |at: usize, word: [u8; 4]| out[(at * height + row) * 4..][..4].copy_from_slice(&word);
                    put(0, group.scale.to_le_bytes());
                    put(1, group.start.to_le_bytes());
                    for (quad, codes) in codes.as_chunks::<4>().0.iter().enumerate() {
                        put(2 + quad, *codes);
                    }
                }
            }
        }
    }
}

/// A group filled up with zeros. One that is whole is a load.
#[inline(always)]
fn whole(x: &[f32]) -> [f32; GROUP] {
    if let Ok(group) = x.try_into() {
        return group;
    }
    let mut group = [0.0; GROUP];
    group[..x.len()].copy_from_slice(x);
    group
}

/// The codes of a group.
#[inline(always)]
fn quantise(group: &[f32; GROUP]) -> (Group, [u8; GROUP]) {
    // Without sign, floats are in the order of their bits, and what is not a number lies above all others.
    let largest = group.iter().fold(0, |largest, x| x.abs().to_bits().max(largest));
    let scale = f32::from_bits(largest) / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let (mut sum, mut codes) = (0, [0; GROUP]);
    for (x, out) in group.iter().zip(&mut codes) {
        // Adding 1.5·2^23 rounds to the nearest even integer; the low byte is its two's complement.
        let code = ((x * inverse + 12_582_912.0).to_bits() as u8).cast_signed();
        sum += i32::from(code);
        *out = code.cast_unsigned();
    }
    (Group { scale, start: -128 * sum }, codes)
}
