//! Panels of 8 and 4 bits: for each 64 inputs sixteen scales for either half, then the codes, four inputs of every output
//! together.
//!
//! Codes are stored without sign, `OFFSET` too large. Four-bit codes of the second half of a block share their bytes with those
//! of the first. Blocks are whole cache lines, so that no load crosses one.

use half::f16;

use crate::lanes::Element;

use super::{GROUP, PANEL};

/// Inputs of a block.
pub(crate) const BLOCK: usize = 2 * GROUP;
/// Bytes of a block's scales: sixteen for either half.
pub(crate) const SCALES: usize = 4 * PANEL;
/// Bytes of four inputs of sixteen outputs.
pub(crate) const QUAD: usize = 4 * PANEL;
/// Quads of a group.
pub(crate) const QUADS: usize = GROUP / 4;
/// Scales that are tried for a group.
pub(crate) const CANDIDATES: usize = 8;

/// How codes are stored.
pub(crate) trait Codes: Copy + Send + Sync + 'static {
    /// Bits of a code.
    const BITS: usize;
    /// The smallest and the largest code.
    const RANGE: [f32; 2];
    /// Bytes of a block of a panel.
    const BYTES: usize = SCALES + PANEL * BLOCK * Self::BITS / 8;
    /// What is added to a code before it is stored.
    const OFFSET: i32 = 1 << (Self::BITS - 1);

    /// The codes that may stand for a group's number that is largest in size, where a scale is searched: below the least code it
    /// is cut off, and the others are finer.
    const EXTREMES: [f32; CANDIDATES];

    /// Where a block holds the quad of either half.
    #[inline(always)]
    fn quad(half: usize, quad: usize) -> usize {
        SCALES + if Self::BITS == 8 { half * QUADS + quad } else { quad } * QUAD
    }

    /// The byte of a block that holds the code of an input of an output, and how far left in it.
    #[inline(always)]
    fn place(output: usize, input: usize) -> (usize, usize) {
        let half = input / GROUP;
        let byte = Self::quad(half, input % GROUP / 4) + output * 4 + input % 4;
        (byte, if Self::BITS == 8 { 0 } else { 4 * half })
    }

    /// A code as it is stored.
    #[inline(always)]
    fn get(block: &[u8], output: usize, input: usize) -> u8 {
        let (byte, shift) = Self::place(output, input);
        (block[byte] >> shift) & (u8::MAX >> (8 - Self::BITS))
    }

    /// Stores a code in a block of zeros.
    #[inline(always)]
    fn put(block: &mut [u8], output: usize, input: usize, code: u8) {
        let (byte, shift) = Self::place(output, input);
        block[byte] |= code << shift;
    }
}

/// 8 bits, -127 to 127.
#[derive(Clone, Copy)]
pub(crate) struct Eight;

/// 4 bits, -8 to 7.
#[derive(Clone, Copy)]
pub(crate) struct Four;

impl Codes for Eight {
    const BITS: usize = 8;
    const RANGE: [f32; 2] = [-127.0, 127.0];
    const EXTREMES: [f32; CANDIDATES] = [-120.0, -121.0, -122.0, -123.0, -124.0, -125.0, -126.0, -127.0];
}

impl Codes for Four {
    const BITS: usize = 4;
    const RANGE: [f32; 2] = [-8.0, 7.0];
    const EXTREMES: [f32; CANDIDATES] = [-7.0, -7.6, -8.0, -8.3, -8.6, -9.0, -9.5, -10.0];
}

/// The bytes of a panel of `d_in` inputs.
pub(crate) fn panel_bytes<C: Codes>(d_in: usize) -> usize {
    d_in.div_ceil(BLOCK) * C::BYTES
}

/// Stores codes that are given with their scales into a panel of zeros: `given(output, group, codes)`.
pub(crate) fn fill<C: Codes>(out: &mut [u8], d_in: usize, given: impl Fn(usize, usize, &mut [i8; GROUP]) -> f16) {
    for group in 0..d_in.div_ceil(GROUP) {
        let (block, half) = (&mut out[group / 2 * C::BYTES..][..C::BYTES], group % 2);
        for output in 0..PANEL {
            let mut codes = [0; GROUP];
            let scale = given(output, group, &mut codes);
            put_scale(block, output, half, scale);
            for (input, code) in codes.iter().enumerate() {
                C::put(block, output, half * GROUP + input, (i32::from(*code) + C::OFFSET) as u8);
            }
        }
    }
}

/// The codes of a group of an output of a panel, and their scale.
pub(crate) fn codes<C: Codes>(panel: &[u8], output: usize, group: usize, codes: &mut [i8; GROUP]) -> f16 {
    let (block, half) = (&panel[group / 2 * C::BYTES..][..C::BYTES], group % 2);
    for (input, code) in codes.iter_mut().enumerate() {
        *code = (i32::from(C::get(block, output, half * GROUP + input)) - C::OFFSET) as i8;
    }
    scale(block, output, half)
}

/// The number of an input of an output of a panel.
pub(crate) fn at<C: Codes>(panel: &[u8], output: usize, input: usize) -> f32 {
    let block = &panel[input / BLOCK * C::BYTES..][..C::BYTES];
    let code = i32::from(C::get(block, output, input % BLOCK)) - C::OFFSET;
    scale(block, output, input % BLOCK / GROUP).widen() * code as f32
}

/// The scale of an output in either half of a block.
#[inline(always)]
pub(crate) fn scale(block: &[u8], output: usize, half: usize) -> f16 {
    let at = scale_place(output, half);
    f16::from_le_bytes([block[at], block[at + 1]])
}

/// Stores the scale of an output in either half of a block.
#[inline(always)]
pub(crate) fn put_scale(block: &mut [u8], output: usize, half: usize, scale: f16) {
    block[scale_place(output, half)..][..2].copy_from_slice(&scale.to_le_bytes());
}

#[inline(always)]
fn scale_place(output: usize, half: usize) -> usize {
    2 * (half * PANEL + output)
}
