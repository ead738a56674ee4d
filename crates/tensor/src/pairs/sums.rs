//! Sums of the values of slots, each times a rounded factor.

use std::ops::Range;

use super::{GROUP, LANES, Lanes, SLOTS, Tiles, Walk, height, run};
use crate::simd::Simd;
use crate::sixteen::Sixteen as _;

/// The sums of some channels over the slots of a block, as far as they stand in one piece.
pub struct Sums<'a> {
    /// For each row a factor for each slot of the block.
    pub factors: &'a [[i16; SLOTS]],
    /// The first slot that is added, an even one.
    pub first: usize,
    /// Values `[slots / 2, width, 2]`.
    pub codes: &'a [i8],
    /// Channels of a value.
    pub width: usize,
    /// The channels that are added, at most a group.
    pub channels: Range<usize>,
    /// The sums of each row, of which the first are those of the channels.
    pub sums: &'a mut [[i32; GROUP]],
}

impl Sums<'_> {
    /// Adds the products to the sums.
    pub fn run(self, simd: Simd) {
        let slots = self.codes.len().checked_div(self.width).unwrap_or(0);
        assert!(
            self.first.is_multiple_of(2) && self.codes.len().is_multiple_of(2 * self.width.max(1)),
            "pairs of slots"
        );
        assert!(self.first + slots <= SLOTS, "slots of one block");
        assert!(self.channels.end <= self.width && self.channels.len() <= GROUP, "channels of one group");
        assert_eq!(self.factors.len(), self.sums.len(), "sums for each row of factors");
        if slots > 0 && !self.channels.is_empty() {
            run(simd, self);
        }
    }
}

impl Walk for Sums<'_> {
    #[inline(always)]
    unsafe fn walk<L: Lanes>(mut self) {
        let mut row = 0;
        while row < self.factors.len() {
            let rows = height(self.factors.len() - row, L::TALLEST);
            // SAFETY: by the contract.
            unsafe {
                // Two vectors of channels share what is read of the factors, where there are registers for their sums.
                if self.channels.len() == GROUP && L::TALLEST > 4 {
                    self.strip::<L, 2>(rows, row, [0, LANES]);
                } else {
                    for channel in (0..self.channels.len()).step_by(LANES) {
                        self.strip::<L, 1>(rows, row, [channel]);
                    }
                }
            }
            row += rows;
        }
    }
}

impl Tiles for Sums<'_> {
    /// Vectors of channels of the group; the last one of a group may be less than whole.
    #[allow(clippy::needless_range_loop, reason = "indices of several arrays, unrolled")]
    #[inline(always)]
    unsafe fn tile<L: Lanes, const R: usize, const V: usize>(&mut self, row: usize, channels: [usize; V]) {
        let start = self.channels.start;
        // SAFETY: by the contract.
        unsafe {
            let mut sums = [[L::V::ints(0); V]; R];
            for r in 0..R {
                for v in 0..V {
                    sums[r][v] = L::load(lanes(&mut self.sums[row + r], channels[v]));
                }
            }
            for (pair, codes) in self.codes.chunks_exact(2 * self.width).enumerate() {
                let codes = &codes[2 * start..2 * self.channels.end];
                let slot = self.first + 2 * pair;
                for v in 0..V {
                    let codes = &codes[2 * channels[v]..];
                    let codes = match codes.first_chunk() {
                        Some(codes) => L::pairs(codes),
                        None => L::pairs(&some(codes)),
                    };
                    for r in 0..R {
                        let [a, b] = [slot, slot + 1].map(|slot| self.factors[row + r][slot]);
                        sums[r][v] = L::dot(sums[r][v], codes, i32::from(b) << 16 | i32::from(a as u16));
                    }
                }
            }
            for r in 0..R {
                for v in 0..V {
                    L::store(sums[r][v], lanes(&mut self.sums[row + r], channels[v]));
                }
            }
        }
    }
}

#[inline(always)]
fn lanes(sums: &mut [i32; GROUP], channel: usize) -> &mut [i32; LANES] {
    &mut sums.as_chunks_mut::<LANES>().0[channel / LANES]
}

/// Less than sixteen pairs, and zeros.
#[inline(always)]
fn some(codes: &[i8]) -> [i8; 2 * LANES] {
    let mut out = [0; 2 * LANES];
    out.iter_mut().zip(codes).for_each(|(to, code)| *to = *code);
    out
}
