//! How GGUF files store numbers: floats, and blocks of codes with their scales.
//!
//! The layouts are those of `block_q8_0` and its relatives in ggml's `ggml-common.h`. `d` is a block's scale, `m` its least
//! number; K-quants have blocks of 256 numbers with scales for parts of them.

use std::ops::Range;
use std::sync::Arc;

use formwork_tensor::{CodedRows, DType, Format, GROUP, Owner};
use half::f16;

/// A type of tensors that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Float(DType),
    F64,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

impl Kind {
    /// The type of a number of the format.
    pub(crate) fn of(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Float(DType::F32),
            1 => Self::Float(DType::F16),
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            28 => Self::F64,
            30 => Self::Float(DType::Bf16),
            _ => return None,
        })
    }

    /// What the format calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Float(DType::F32) => "F32",
            Self::Float(DType::F16) => "F16",
            Self::Float(DType::Bf16) => "BF16",
            Self::F64 => "F64",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// The numbers of a block and its bytes.
    fn block(self) -> (usize, usize) {
        match self {
            Self::Float(dtype) => (1, dtype.size()),
            Self::F64 => (1, 8),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        }
    }

    /// Bytes of `count` numbers in rows of `width`; none if a row is no whole number of blocks, or for more than can be.
    pub(crate) fn size(self, count: usize, width: usize) -> Option<usize> {
        let (numbers, bytes) = self.block();
        width.is_multiple_of(numbers).then(|| (count / numbers).checked_mul(bytes))?
    }
}

/// Rows of blocks.
pub(crate) struct Blocks {
    pub(crate) owner: Arc<dyn Owner>,
    pub(crate) bytes: Range<usize>,
    pub(crate) kind: Kind,
    /// Numbers of a row.
    pub(crate) width: usize,
}

impl Blocks {
    fn block(&self, row: usize, block: usize) -> &[u8] {
        let (numbers, size) = self.kind.block();
        let at = self.bytes.start + (row * (self.width / numbers) + block) * size;
        &self.owner.bytes()[at..at + size]
    }
}

impl CodedRows for Blocks {
    fn row(&self, row: usize, out: &mut [f32]) {
        let (numbers, _) = self.kind.block();
        let mut whole = [0.0; 256];
        for (at, out) in out.chunks_mut(numbers).enumerate() {
            decode(self.kind, self.block(row, at), &mut whole[..numbers]);
            out.copy_from_slice(&whole[..out.len()]);
        }
    }

    fn format(&self) -> Option<Format> {
        match self.kind {
            Kind::Q4_0 => Some(Format::Q4),
            Kind::Q5_0 | Kind::Q8_0 => Some(Format::Q8),
            _ => None,
        }
    }

    fn group(&self, row: usize, group: usize, codes: &mut [i8; GROUP]) -> u16 {
        let block = self.block(row, group);
        codes_of(self.kind, block, codes);
        u16::from_le_bytes([block[0], block[1]])
    }
}

/// The numbers of a block.
fn decode(kind: Kind, block: &[u8], out: &mut [f32]) {
    match kind {
        Kind::Q4_0 | Kind::Q5_0 | Kind::Q8_0 => {
            let mut codes = [0; GROUP];
            codes_of(kind, block, &mut codes);
            let d = half(block, 0);
            out.iter_mut().zip(codes).for_each(|(x, code)| *x = d * f32::from(code));
        }
        Kind::Q4_1 | Kind::Q5_1 => {
            let (d, m) = (half(block, 0), half(block, 2));
            let (high, low) = block[4..].split_at(block.len() - 4 - GROUP / 2);
            for (at, x) in out.iter_mut().enumerate() {
                *x = d * f32::from(nibble(low, at) | fifth(high, at)) + m;
            }
        }
        Kind::Q4K => fours(block, &[], &block[16..], out),
        Kind::Q5K => fours(block, &block[16..48], &block[48..], out),
        Kind::Q6K => sixes(block, out),
        Kind::Float(_) | Kind::F64 => unreachable!("floats are no blocks"),
    }
}

/// The signed codes of a block of 32 numbers `d · code`.
fn codes_of(kind: Kind, block: &[u8], codes: &mut [i8; GROUP]) {
    for (at, code) in codes.iter_mut().enumerate() {
        *code = match kind {
            Kind::Q4_0 => nibble(&block[2..], at).cast_signed() - 8,
            Kind::Q5_0 => (nibble(&block[6..], at) | fifth(&block[2..6], at)).cast_signed() - 16,
            _ => block[2 + at].cast_signed(),
        };
    }
}

/// The scale that stands at a byte.
fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The 4-bit code of a number of 32: the first sixteen in the low halves.
fn nibble(bytes: &[u8], at: usize) -> u8 {
    bytes[at % 16] >> (at / 16 * 4) & 15
}

/// The fifth bit of a number's code in its place; none of no bits.
fn fifth(bits: &[u8], at: usize) -> u8 {
    bits.get(at / 8).map_or(0, |byte| (byte >> (at % 8) & 1) << 4)
}

/// Q4_K and Q5_K: eight groups of 32 numbers `d · scale · code - m · least`, two groups to 32 bytes of codes. `fifths` has a
/// bit for each group in the byte of each place.
fn fours(block: &[u8], fifths: &[u8], codes: &[u8], out: &mut [f32]) {
    let (d, m) = (half(block, 0), half(block, 2));
    for (group, out) in out.chunks_exact_mut(GROUP).enumerate() {
        let [scale, least] = six_bits(&block[4..16], group);
        let (scale, least) = (d * f32::from(scale), m * f32::from(least));
        for (at, x) in out.iter_mut().enumerate() {
            let code = codes[group / 2 * GROUP + at] >> (group % 2 * 4) & 15;
            let fifth = fifths.get(at).map_or(0, |byte| (byte >> group & 1) << 4);
            *x = scale * f32::from(code | fifth) - least;
        }
    }
}

/// The 6-bit scale and least number of a group of eight, packed into twelve bytes: those of the first four in the low bits of
/// eight bytes, of the last four in the halves of four bytes and the high bits of the first eight.
fn six_bits(bytes: &[u8], group: usize) -> [u8; 2] {
    match group {
        0..4 => [bytes[group] & 63, bytes[group + 4] & 63],
        _ => {
            let low = bytes[group + 4];
            [low & 15 | bytes[group - 4] >> 6 << 4, low >> 4 | bytes[group] >> 6 << 4]
        }
    }
}

/// Q6_K: two halves of 128 numbers `d · scale · (code - 32)`, with a scale for each 16; the low four bits of a half in 64
/// bytes, the high two in 32.
fn sixes(block: &[u8], out: &mut [f32]) {
    let (low, high, scales, d) = (&block[..128], &block[128..192], &block[192..208], half(block, 208));
    for (at, x) in out.iter_mut().enumerate() {
        let (part, within) = (at / 128, at % 128);
        let (quarter, place) = (within / 32, within % 32);
        let low = low[part * 64 + quarter % 2 * 32 + place] >> (quarter / 2 * 4) & 15;
        let high = high[part * 32 + place] >> (quarter * 2) & 3;
        let code = (low | high << 4).cast_signed() - 32;
        *x = d * f32::from(scales[at / 16].cast_signed()) * f32::from(code);
    }
}
