//! Products of eight-bit codes with inputs rounded to sixteen bits, two of every lane in a step.
//!
//! Their sums are whole numbers, and so the same at every SIMD level.
#![allow(unsafe_code, reason = "calls functions compiled for CPU features that were detected")]

mod lanes;
mod rounded;
mod scores;
mod sums;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use rounded::{Rounded, round_products};
pub use scores::{Panel, Scores};
pub use sums::Sums;

use crate::simd::{Level, Simd};
use crate::sixteen;
use lanes::{Ints, Lanes, Pairs, Plain};

/// Codes of a row that share a scale.
pub const GROUP: usize = 32;

/// Lanes of a step: keys of a panel, or channels of values.
pub const LANES: usize = sixteen::LANES;

/// Inputs of a sum over slots. So many products of 8 and 16 bits fit into 32, whatever they are.
pub const SLOTS: usize = 256;

/// A computation in any vectors.
trait Walk {
    /// # Safety
    /// The CPU has the instructions of `L`.
    unsafe fn walk<L: Lanes>(self);
}

/// A computation whose tiles are some rows by some panels or vectors.
trait Tiles {
    /// `R` rows from `row` on by those that start at `at`.
    ///
    /// # Safety
    /// The CPU has the instructions of `L`.
    unsafe fn tile<L: Lanes, const R: usize, const N: usize>(&mut self, row: usize, at: [usize; N]);

    /// A tile of so many rows.
    ///
    /// # Safety
    /// The CPU has the instructions of `L`.
    #[inline(always)]
    unsafe fn strip<L: Lanes, const N: usize>(&mut self, rows: usize, row: usize, at: [usize; N]) {
        // SAFETY: by the contract.
        unsafe {
            match rows {
                1 => self.tile::<L, 1, N>(row, at),
                2 => self.tile::<L, 2, N>(row, at),
                3 => self.tile::<L, 3, N>(row, at),
                4 => self.tile::<L, 4, N>(row, at),
                5 => self.tile::<L, 5, N>(row, at),
                6 => self.tile::<L, 6, N>(row, at),
                7 => self.tile::<L, 7, N>(row, at),
                _ => self.tile::<L, 8, N>(row, at),
            }
        }
    }
}

fn run(simd: Simd, walk: impl Walk) {
    match simd.level() {
        #[cfg(target_arch = "x86_64")]
        Level::Amx | Level::Avx512Bf16 | Level::Vnni => x86::vnni(walk),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => x86::avx512(walk),
        #[cfg(target_arch = "x86_64")]
        Level::AvxVnni | Level::Avx2 => x86::avx2(walk),
        // SAFETY: plain Rust.
        _ => unsafe { walk.walk::<Plain>() },
    }
}

/// Rows of the next tile, of so many that are left: tiles of at most `tallest` rows, none much lower than another.
fn height(left: usize, tallest: usize) -> usize {
    left.div_ceil(left.div_ceil(tallest))
}
