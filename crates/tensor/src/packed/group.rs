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

    /// The scale at which a group's codes are near its numbers.
    fn scale(group: &[f32; GROUP]) -> f32;

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

    fn scale(group: &[f32; GROUP]) -> f32 {
        group.iter().fold(0.0_f32, |largest, x| largest.max(x.abs())) / 127.0
    }
}

impl Codes for Four {
    const BITS: usize = 4;
    const RANGE: [f32; 2] = [-8.0, 7.0];

    /// Of several codes for the number that is largest in size, the one that leaves the least square error; none may move a
    /// number by more than an eighth of the largest.
    fn scale(group: &[f32; GROUP]) -> f32 {
        let extreme = group.iter().fold(0.0_f32, |extreme, x| if x.abs() > extreme.abs() { *x } else { extreme });
        let opposite = group.iter().fold(0.0_f32, |most, x| most.max(x * -extreme.signum()));
        let eighth = extreme.abs() / 8.0;
        let mut best = (0.0, extreme / -8.0);
        for code in EXTREMES {
            let (product, square) = products(group, -code / extreme);
            // At the scale `product / square` the error is the numbers' own square less this.
            let (scale, gain) = (product / square, product * product / square);
            let near = 8.0 * scale.abs() >= 7.0 * eighth && 7.0 * scale.abs() >= opposite - eighth;
            if near && gain > best.0 {
                best = (gain, scale);
            }
        }
        best.1
    }
}

/// The bytes of a panel of `d_in` inputs.
pub(crate) fn panel_bytes<C: Codes>(d_in: usize) -> usize {
    d_in.div_ceil(BLOCK) * C::BYTES
}

/// What the number that is largest in size may be divided into: beyond 8 it is cut off, and the others are finer.
const EXTREMES: [f32; 7] = [7.0, 7.5, 8.0, 8.5, 9.0, 9.5, 10.0];

/// Of numbers and their codes at an inverse scale: the sum of their products, and of the codes' squares.
fn products(group: &[f32; GROUP], inverse: f32) -> (f32, f32) {
    /// Adding 1.5·2^23 and taking it away rounds to the nearest even integer.
    const ROUND: f32 = 12_582_912.0;
    let (mut products, mut squares) = ([0.0; 8], [0.0; 8]);
    for numbers in group.as_chunks::<8>().0 {
        for (lane, x) in numbers.iter().enumerate() {
            let code = ((x * inverse).clamp(Four::RANGE[0], Four::RANGE[1]) + ROUND) - ROUND;
            products[lane] += x * code;
            squares[lane] += code * code;
        }
    }
    (products.iter().sum(), squares.iter().sum())
}

/// Quantises sixteen rows of `d_in` numbers into a panel of zeros.
pub(crate) fn pack<C: Codes>(rows: &[f32], d_in: usize, out: &mut [u8]) {
    fill::<C>(out, d_in, |output, group, codes| {
        let start = group * GROUP;
        let mut numbers = [0.0; GROUP];
        let given = &rows[output * d_in + start..][..GROUP.min(d_in - start)];
        numbers[..given.len()].copy_from_slice(given);
        let scale = f16::from_f32(C::scale(&numbers));
        let inverse = if scale == f16::ZERO { 0.0 } else { 1.0 / scale.widen() };
        for (code, x) in codes.iter_mut().zip(&numbers) {
            let [least, most] = C::RANGE;
            *code = (x * inverse).round().clamp(least, most) as i8;
        }
        scale
    });
}

/// Stores codes that are given with their scales into a panel of zeros: `given(output, group, codes)`.
pub(crate) fn fill<C: Codes>(out: &mut [u8], d_in: usize, given: impl Fn(usize, usize, &mut [i8; GROUP]) -> f16) {
    for group in 0..d_in.div_ceil(GROUP) {
        let (block, half) = (&mut out[group / 2 * C::BYTES..][..C::BYTES], group % 2);
        for output in 0..PANEL {
            let mut codes = [0; GROUP];
            let scale = given(output, group, &mut codes);
            block[scale_place(output, half)..][..2].copy_from_slice(&scale.to_le_bytes());
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

#[inline(always)]
fn scale_place(output: usize, half: usize) -> usize {
    2 * (half * PANEL + output)
}
