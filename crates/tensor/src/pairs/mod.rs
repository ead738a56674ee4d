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

use crate::simd::Simd;
use lanes::{Lanes, Plain};

/// Codes of a row that share a scale.
pub const GROUP: usize = 32;

/// Lanes of a step: keys of a panel, or channels of values.
pub const LANES: usize = 16;

/// Inputs of a sum over slots. So many products of 8 and 16 bits fit into 32, whatever they are.
pub const SLOTS: usize = 256;

/// A computation in any vectors.
trait Walk {
    /// # Safety
    /// The CPU has the instructions of `L`.
    unsafe fn walk<L: Lanes>(self);
}

fn run(simd: Simd, walk: impl Walk) {
    match simd.or_portable() {
        #[cfg(target_arch = "x86_64")]
        Simd::Amx | Simd::Avx512Bf16 | Simd::Vnni => x86::vnni(walk),
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => x86::avx512(walk),
        #[cfg(target_arch = "x86_64")]
        Simd::AvxVnni | Simd::Avx2 => x86::avx2(walk),
        // SAFETY: plain Rust.
        _ => unsafe { walk.walk::<Plain>() },
    }
}

/// Rows of the next tile, of so many that are left: tiles of at most `tallest` rows, none much lower than another.
fn height(left: usize, tallest: usize) -> usize {
    left.div_ceil(left.div_ceil(tallest))
}
