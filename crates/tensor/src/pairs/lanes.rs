//! What the products need of an instruction set, and their plain twin.

use super::LANES;
use crate::sixteen::{Arrays, Sixteen};

/// Sixteen lanes. Everything is `#[inline(always)]`, and called where its instructions are there.
pub(super) trait Lanes {
    /// The most rows of a tile: as many as registers hold sums for.
    const TALLEST: usize;

    /// The vectors.
    type V: Sixteen;

    /// Writes sums.
    unsafe fn store(sums: Ints<Self>, to: &mut [i32; LANES]);

    /// A pair for each lane.
    unsafe fn pairs(from: &[i8; 2 * LANES]) -> Pairs<Self>;

    /// The first code of a pair for each lane; the second may be anything.
    unsafe fn singles(from: &[i8; LANES]) -> Pairs<Self>;

    /// Adds the products of every lane's pair with a pair of inputs, the first in the lower half.
    #[inline(always)]
    unsafe fn dot(sums: Ints<Self>, codes: Pairs<Self>, inputs: i32) -> Ints<Self> {
        // SAFETY: by the contract.
        unsafe { Self::V::add_pairs(sums, codes, inputs) }
    }
}

/// Sixteen sums.
pub(super) type Ints<L> = <<L as Lanes>::V as Sixteen>::Ints;
/// Sixteen pairs of codes.
pub(super) type Pairs<L> = <<L as Lanes>::V as Sixteen>::Pairs;

/// Arrays.
pub(super) struct Plain;

impl Lanes for Plain {
    const TALLEST: usize = 4;

    type V = Arrays;

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
}
