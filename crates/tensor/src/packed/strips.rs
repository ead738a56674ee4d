//! The input of a product of floats in strips: what a step of a tile reads stands side by side, however wide rows are.

use crate::buffer::Lent;
use crate::device::Device;
use crate::normed::Rows;
use crate::simd::Kernel;

/// Rows of a task: whole strips of any height.
const BLOCK: usize = 12;

/// Inputs of a strip that are written together: they stay in the first-level cache while all rows pass.
const PIECE: usize = 64;

/// `by_height!(lanes, H => kernel)`: the expression, where `H` are the rows of a strip for so many lanes, as many as registers hold
/// sums of.
macro_rules! by_height {
    ($lanes:expr, $height:ident => $kernel:expr) => {
        match $lanes {
            16 => {
                const $height: usize = 12;
                $kernel
            }
            8 => {
                const $height: usize = 6;
                $kernel
            }
            _ => {
                const $height: usize = 4;
                $kernel
            }
        }
    };
}

pub(crate) use by_height;

/// Rows in strips of one height, the last filled up with zeros: `[d_in, height]` each.
pub(crate) struct Strips<'a> {
    buffer: Lent<'a>,
    d_in: usize,
}

impl<'a> Strips<'a> {
    pub(crate) fn new(device: &'a Device, x: Rows<'_>, rows: usize) -> Self {
        let (d_in, simd) = (x.width, device.simd());
        let (count, size) = (rows.div_ceil(BLOCK), d_in * BLOCK);
        let mut buffer = device.pool.lend(count * size);
        device.threads().chunks(&mut buffer.floats_mut()[..count * size], size, |block, out| {
            x.lend(simd, block * BLOCK..(block + 1) * BLOCK, |x| simd.run(Fill { x, d_in, out }));
        });
        Self { buffer, d_in }
    }

    /// Of the strip of height `H` that starts at `row`, inputs `first..first + count`.
    #[inline(always)]
    pub(crate) fn inputs<const H: usize>(&self, row: usize, first: usize, count: usize) -> &[[f32; H]] {
        &self.buffer.floats().as_chunks().0[row / H * self.d_in + first..][..count]
    }
}

/// Up to twelve rows.
struct Fill<'a> {
    x: &'a [f32],
    d_in: usize,
    out: &'a mut [f32],
}

impl Kernel for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        by_height!(N, H => self.fill::<H>());
    }
}

impl Fill<'_> {
    #[inline(always)]
    fn fill<const H: usize>(self) {
        let size = (H * self.d_in).max(1);
        for (x, out) in self.x.chunks(size).zip(self.out.chunks_exact_mut(size)) {
            for (piece, out) in out.as_chunks_mut::<H>().0.chunks_mut(PIECE).enumerate() {
                for r in 0..H {
                    let first = r * self.d_in + piece * PIECE;
                    match x.get(first..first + out.len()) {
                        Some(row) => out.iter_mut().zip(row).for_each(|(out, x)| out[r] = *x),
                        None => out.iter_mut().for_each(|out| out[r] = 0.0),
                    }
                }
            }
        }
    }
}
