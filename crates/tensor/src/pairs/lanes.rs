//! What the products need of an instruction set, and the plain twin of all of them.

use half::f16;

use super::LANES;
use crate::lanes::{Element, mul_add};

/// Sixteen lanes. Everything is `#[inline(always)]`, and called where its instructions are there.
pub(super) trait Lanes {
    /// The most rows of a tile: as many as registers hold sums for.
    const TALLEST: usize;

    /// Sixteen sums.
    type Ints: Copy;
    /// Sixteen pairs of codes.
    type Codes: Copy;
    /// Sixteen floats.
    type Floats: Copy;

    /// Sums of nothing.
    unsafe fn ints() -> Self::Ints;

    /// Sums so far.
    unsafe fn load(from: &[i32; LANES]) -> Self::Ints;

    /// Writes sums.
    unsafe fn store(sums: Self::Ints, to: &mut [i32; LANES]);

    /// A pair for each lane.
    unsafe fn pairs(from: &[i8; 2 * LANES]) -> Self::Codes;

    /// The first code of a pair for each lane; the second may be anything.
    unsafe fn singles(from: &[i8; LANES]) -> Self::Codes;

    /// Adds the products of every lane's pair with a pair of inputs, the first in the lower half.
    unsafe fn dot(sums: Self::Ints, codes: Self::Codes, inputs: i32) -> Self::Ints;

    /// Zeros.
    unsafe fn floats() -> Self::Floats;

    /// Sixteen scales.
    unsafe fn scales(from: &[f16; LANES]) -> Self::Floats;

    /// `sums + group · (scales · scale)`
    unsafe fn add(sums: Self::Floats, group: Self::Ints, scales: Self::Floats, scale: f32) -> Self::Floats;

    /// Writes floats.
    unsafe fn put(sums: Self::Floats, to: &mut [f32; LANES]);
}

/// Arrays.
pub(super) struct Plain;

/// Whether a fused multiply-add is one instruction of every CPU of the target.
const FMA: bool = cfg!(target_arch = "aarch64");

impl Lanes for Plain {
    const TALLEST: usize = 4;

    type Ints = [i32; LANES];
    type Codes = [[i16; 2]; LANES];
    type Floats = [f32; LANES];

    #[inline(always)]
    unsafe fn ints() -> [i32; LANES] {
        [0; LANES]
    }

    #[inline(always)]
    unsafe fn load(from: &[i32; LANES]) -> [i32; LANES] {
        *from
    }

    #[inline(always)]
    unsafe fn store(sums: [i32; LANES], to: &mut [i32; LANES]) {
        *to = sums;
    }

    #[inline(always)]
    unsafe fn pairs(from: &[i8; 2 * LANES]) -> [[i16; 2]; LANES] {
        std::array::from_fn(|lane| [2 * lane, 2 * lane + 1].map(|at| i16::from(from[at])))
    }

    #[inline(always)]
    unsafe fn singles(from: &[i8; LANES]) -> [[i16; 2]; LANES] {
        from.map(|code| [i16::from(code), 0])
    }

    #[inline(always)]
    unsafe fn dot(mut sums: [i32; LANES], codes: [[i16; 2]; LANES], inputs: i32) -> [i32; LANES] {
        let [first, second] = [i32::from(inputs as i16), inputs >> 16];
        for (sum, [a, b]) in sums.iter_mut().zip(codes) {
            *sum += i32::from(a) * first + i32::from(b) * second;
        }
        sums
    }

    #[inline(always)]
    unsafe fn floats() -> [f32; LANES] {
        [0.0; LANES]
    }

    #[inline(always)]
    unsafe fn scales(from: &[f16; LANES]) -> [f32; LANES] {
        from.map(Element::widen)
    }

    #[inline(always)]
    unsafe fn add(mut sums: [f32; LANES], group: [i32; LANES], scales: [f32; LANES], scale: f32) -> [f32; LANES] {
        for lane in 0..LANES {
            sums[lane] = mul_add::<FMA>(group[lane] as f32, scales[lane] * scale, sums[lane]);
        }
        sums
    }

    #[inline(always)]
    unsafe fn put(sums: [f32; LANES], to: &mut [f32; LANES]) {
        *to = sums;
    }
}
