//! The input of a product as sums of bf16 numbers, in tiles.
#![allow(unsafe_code, reason = "CPU intrinsics, called where their features were detected")]

use std::arch::x86_64::*;

use crate::buffer::Lent;
use crate::device::Device;
use crate::normed::Rows;

use super::tiles::{LINE, TILE};

/// Rows of a tile of inputs.
pub(crate) const ROWS: usize = 16;
/// Inputs of a tile.
pub(crate) const STEP: usize = 32;

/// Rows of inputs in blocks of sixteen, the last filled up with zeros. A block holds, for each 32 inputs, a tile of each part:
/// the numbers rounded to bf16, what that left rounded again, and so on.
pub(crate) struct Parts<'a> {
    device: &'a Device,
    buffer: Lent<'a>,
    rows: usize,
    steps: usize,
    count: usize,
}

impl<'a> Parts<'a> {
    /// `x` `[rows, d_in]` in `count` parts, one to three, on a device that has instructions for bf16.
    pub(crate) fn new(device: &'a Device, x: Rows<'_>, rows: usize, count: usize) -> Self {
        let d_in = x.width;
        let (steps, blocks) = (d_in.div_ceil(STEP), rows.div_ceil(ROWS));
        let bytes = steps * count * TILE;
        let mut buffer = device.pool.lend((blocks * bytes).div_ceil(4));
        device.threads().chunks(&mut buffer.bytes_mut()[..blocks * bytes], bytes, |block, out| {
            x.lend(device.simd(), block * ROWS..(block + 1) * ROWS, |x| {
                // SAFETY: a device that multiplies in tiles has these features.
                unsafe {
                    match count {
                        1 => fill::<1>(x, d_in, out),
                        2 => fill::<2>(x, d_in, out),
                        _ => fill::<3>(x, d_in, out),
                    }
                }
            });
        });
        Self { device, buffer, rows, steps, count }
    }

    /// The tiles of a block of sixteen rows, all parts of a step side by side.
    pub(crate) fn block(&self, block: usize) -> &[u8] {
        let bytes = self.steps * self.count * TILE;
        &self.buffer.bytes()[block * bytes..][..bytes]
    }

    pub(crate) fn blocks(&self) -> usize {
        self.rows.div_ceil(ROWS)
    }

    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    /// Parts of a number.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The device that it was made on.
    pub(crate) fn device(&self) -> &'a Device {
        self.device
    }
}

/// One block.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
fn fill<const PARTS: usize>(x: &[f32], d_in: usize, out: &mut [u8]) {
    for (step, tiles) in out.chunks_exact_mut(PARTS * TILE).enumerate() {
        for row in 0..ROWS {
            let start = (row * d_in + step * STEP).min(x.len());
            let end = (row * d_in + d_in.min((step + 1) * STEP)).min(x.len());
            let numbers = &x[start..end];
            let half = numbers.len().min(STEP / 2);
            let parts = split::<PARTS>(load(&numbers[..half]), load(&numbers[half..]));
            for (part, bits) in parts.into_iter().enumerate() {
                let line = &mut tiles[part * TILE + row * LINE..][..LINE];
                // SAFETY: a line has the bytes of a register.
                unsafe { _mm512_storeu_si512(line.as_mut_ptr().cast(), bits) };
            }
        }
    }
}

/// Up to sixteen floats, and zeros.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn load(x: &[f32]) -> __m512 {
    let mask = ((1_u32 << x.len()) - 1) as __mmask16;
    // SAFETY: the mask has one bit for each float.
    unsafe { _mm512_maskz_loadu_ps(mask, x.as_ptr()) }
}

/// Numbers as sums of bf16 numbers, the sixteen of `a` before those of `b` in each: three parts hold all bits of an f32.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
#[inline]
pub(crate) fn split<const PARTS: usize>(mut a: __m512, mut b: __m512) -> [__m512i; PARTS] {
    let mut parts = [_mm512_setzero_si512(); PARTS];
    for part in &mut parts {
        // SAFETY: both types are 512 bits.
        *part = unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(b, a)) };
        a = rest(a, _mm512_castsi512_si256(*part));
        b = rest(b, _mm512_extracti64x4_epi64::<1>(*part));
    }
    parts
}

/// What rounding left of numbers; nothing of those that are not finite.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn rest(x: __m512, rounded: __m256i) -> __m512 {
    const NOT_FINITE: i32 = 0x01 | 0x08 | 0x10 | 0x80; // quiet NaN, both infinities, signalling NaN
    let rounded = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(rounded)));
    let finite = !_mm512_fpclass_ps_mask::<NOT_FINITE>(rounded);
    _mm512_maskz_sub_ps(finite, x, rounded)
}
