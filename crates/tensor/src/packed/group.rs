//! Panels of 8, 6 and 4 bits: for each 64 inputs sixteen grids for either half, then the codes, four inputs of every output
//! together.
//!
//! A grid is 16 bits that say which numbers the codes of a group stand for. Codes are stored without sign, `OFFSET` too large.
//! Four-bit codes of the second half of a block share their bytes with those of the first. Codes of six bits have their low four
//! there, and the high two of both halves of two quads in the bytes of a line before them. Blocks are whole cache lines, so that no
//! load crosses one.

use half::f16;

use crate::lanes::Element;

use super::{GROUP, PANEL};

/// Inputs of a block.
pub(crate) const BLOCK: usize = 2 * GROUP;
/// Bytes of a block's grids: sixteen for either half.
pub(crate) const GRIDS: usize = 4 * PANEL;
/// Bytes of four inputs of sixteen outputs.
pub(crate) const QUAD: usize = 4 * PANEL;
/// Quads of a group.
pub(crate) const QUADS: usize = GROUP / 4;
/// Bits of the zero point in a grid that has one.
pub(crate) const ZERO_BITS: usize = 7;
/// Steps of a zero point between two codes.
pub(crate) const ZERO_STEPS: i32 = 8;
/// What the scale of a grid with a zero point counts, so that those of small weights keep all of their bits.
pub(crate) const UNIT: f32 = 1.0 / 64.0;

/// How codes are stored.
pub(crate) trait Codes: Copy + Send + Sync + 'static {
    /// Bits of a code.
    const BITS: usize;
    /// The smallest and the largest code.
    const RANGE: [f32; 2];
    /// Bytes of a block of a panel.
    const BYTES: usize = GRIDS + PANEL * BLOCK * Self::BITS / 8;
    /// What is added to a code before it is stored.
    const OFFSET: i32 = 1 << (Self::BITS - 1);
    /// Whether grids have a zero point. They hold it in their low bits, in eighths and 64 too large, and above it a scale without
    /// sign: five bits of exponent and four of mantissa. The others are a scale in f16.
    const HAS_ZERO: bool = false;

    /// What a grid stands for.
    #[inline(always)]
    fn grid(bits: u16) -> Grid {
        if !Self::HAS_ZERO {
            return Grid { scale: f16::from_bits(bits).widen(), zero: 0 };
        }
        Grid {
            scale: scale_of(bits >> ZERO_BITS),
            zero: i32::from(bits) % (1 << ZERO_BITS) - ZERO_STEPS * Self::OFFSET,
        }
    }

    /// Where a block holds the quad of either half, of codes of six bits the low four.
    #[inline(always)]
    fn quad(half: usize, quad: usize) -> usize {
        let line = match Self::BITS {
            8 => half * QUADS + quad,
            6 => QUADS / 2 + quad,
            _ => quad,
        };
        GRIDS + line * QUAD
    }

    /// Where it holds the high two bits of the quad of either half, and how far left in their bytes.
    #[inline(always)]
    fn high(half: usize, quad: usize) -> (usize, usize) {
        (GRIDS + quad / 2 * QUAD, 4 * half + 2 * (quad % 2))
    }

    /// A code as it is stored.
    #[inline(always)]
    fn get(block: &[u8], output: usize, input: usize) -> u8 {
        let (half, quad, at) = place(output, input);
        let low = block[Self::quad(half, quad) + at];
        match Self::BITS {
            8 => low,
            4 => low >> (4 * half) & 15,
            _ => {
                let (line, shift) = Self::high(half, quad);
                low >> (4 * half) & 15 | (block[line + at] >> shift & 3) << 4
            }
        }
    }

    /// Stores a code in a block of zeros.
    #[inline(always)]
    fn put(block: &mut [u8], output: usize, input: usize, code: u8) {
        let (half, quad, at) = place(output, input);
        let low = &mut block[Self::quad(half, quad) + at];
        match Self::BITS {
            8 => *low = code,
            _ => *low |= (code & 15) << (4 * half),
        }
        if Self::BITS == 6 {
            let (line, shift) = Self::high(half, quad);
            block[line + at] |= code >> 4 << shift;
        }
    }
}

/// The half and the quad of an input, and the place of an output in a quad's bytes.
#[inline(always)]
fn place(output: usize, input: usize) -> (usize, usize, usize) {
    (input / GROUP, input % GROUP / 4, output * 4 + input % 4)
}

/// Bits of an f32 below those that a scale of nine bits has.
const BELOW: u32 = 19;
/// Nine bits as the high ones of an f32 stand for a scale divided by this: exponents start at 2^-15 in one and 2^-127 in the other.
const WIDENED: f32 = UNIT * f32::from_bits((127 + 112) << 23);

/// The scale of nine bits, five of the exponent and four of the mantissa.
#[inline(always)]
pub(crate) fn scale_of(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << BELOW) * WIDENED
}

/// The bits of the largest scale that is not above a number; more than nine where it is too large.
#[inline(always)]
pub(crate) fn scale_below(x: f32) -> i32 {
    ((x / WIDENED).to_bits() >> BELOW) as i32
}

/// The numbers of a group: a code stands for `scale · (code - zero / ZERO_STEPS)`.
#[derive(Clone, Copy)]
pub(crate) struct Grid {
    pub(crate) scale: f32,
    pub(crate) zero: i32,
}

impl Grid {
    /// The number of a code.
    #[inline(always)]
    pub(crate) fn number(self, code: i8) -> f32 {
        self.scale * (f32::from(code) - self.zero as f32 / ZERO_STEPS as f32)
    }
}

/// 8 bits, -127 to 127.
#[derive(Clone, Copy)]
pub(crate) struct Eight;

/// 6 bits, -32 to 31.
#[derive(Clone, Copy)]
pub(crate) struct Six;

/// 4 bits, -8 to 7.
#[derive(Clone, Copy)]
pub(crate) struct Four;

/// 4 bits, -8 to 7 from a zero point on.
#[derive(Clone, Copy)]
pub(crate) struct FourZero;

impl Codes for Eight {
    const BITS: usize = 8;
    const RANGE: [f32; 2] = [-127.0, 127.0];
}

impl Codes for Six {
    const BITS: usize = 6;
    const RANGE: [f32; 2] = [-32.0, 31.0];
}

impl Codes for Four {
    const BITS: usize = 4;
    const RANGE: [f32; 2] = [-8.0, 7.0];
}

impl Codes for FourZero {
    const BITS: usize = 4;
    const RANGE: [f32; 2] = [-8.0, 7.0];
    const HAS_ZERO: bool = true;
}

/// The bytes of a panel of `d_in` inputs.
pub(crate) fn panel_bytes<C: Codes>(d_in: usize) -> usize {
    d_in.div_ceil(BLOCK) * C::BYTES
}

/// Stores codes that are given with their grids into a panel of zeros: `given(output, group, codes)`.
pub(crate) fn fill<C: Codes>(out: &mut [u8], d_in: usize, given: impl Fn(usize, usize, &mut [i8; GROUP]) -> u16) {
    for group in 0..d_in.div_ceil(GROUP) {
        let (block, half) = (&mut out[group / 2 * C::BYTES..][..C::BYTES], group % 2);
        for output in 0..PANEL {
            let mut codes = [0; GROUP];
            let grid = given(output, group, &mut codes);
            put_grid(block, output, half, grid);
            for (input, code) in codes.iter().enumerate() {
                C::put(block, output, half * GROUP + input, (i32::from(*code) + C::OFFSET) as u8);
            }
        }
    }
}

/// The codes of a group of an output of a panel, and their grid.
pub(crate) fn codes<C: Codes>(panel: &[u8], output: usize, group: usize, codes: &mut [i8; GROUP]) -> u16 {
    let (block, half) = (&panel[group / 2 * C::BYTES..][..C::BYTES], group % 2);
    for (input, code) in codes.iter_mut().enumerate() {
        *code = code_at::<C>(block, output, half * GROUP + input);
    }
    grid_bits(block, output, half)
}

/// The number of an input of an output of a panel.
pub(crate) fn at<C: Codes>(panel: &[u8], output: usize, input: usize) -> f32 {
    let (block, input) = (&panel[input / BLOCK * C::BYTES..][..C::BYTES], input % BLOCK);
    C::grid(grid_bits(block, output, input / GROUP)).number(code_at::<C>(block, output, input))
}

/// The code of an input of an output in a block.
fn code_at<C: Codes>(block: &[u8], output: usize, input: usize) -> i8 {
    (i32::from(C::get(block, output, input)) - C::OFFSET) as i8
}

/// The grid of an output in either half of a block.
#[inline(always)]
pub(crate) fn grid_bits(block: &[u8], output: usize, half: usize) -> u16 {
    let at = grid_place(output, half);
    u16::from_le_bytes([block[at], block[at + 1]])
}

/// Stores the grid of an output in either half of a block.
#[inline(always)]
pub(crate) fn put_grid(block: &mut [u8], output: usize, half: usize, bits: u16) {
    block[grid_place(output, half)..][..2].copy_from_slice(&bits.to_le_bytes());
}

#[inline(always)]
fn grid_place(output: usize, half: usize) -> usize {
    2 * (half * PANEL + output)
}
