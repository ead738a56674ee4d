//! Sums of the values of slots, each times a rounded factor.

use std::ops::Range;

use super::{GROUP, LANES, Lanes, SLOTS, Tiles, Walk, height, run};
use crate::simd::Simd;
use crate::sixteen::Sixteen as _;

/// The sums of some channels over the slots of a block.
pub struct Sums<'a> {
    /// For each row a factor for each slot of the block.
    pub factors: &'a [[i16; SLOTS]],
    /// What a factor of each row counts in.
    pub steps: &'a [f32],
    /// The first slot that is added, an even one.
    pub first: usize,
    /// Values `[slots / 2, width, 2]`, as they stand in one piece, and in another where they go on.
    pub codes: [&'a [i8]; 2],
    /// Channels of a value.
    pub width: usize,
    /// The channels that are added, at most a group.
    pub channels: Range<usize>,
    /// The sums of each row, `stride` numbers apart.
    pub sums: &'a mut [f32],
    /// At least as many as channels.
    pub stride: usize,
}

impl Sums<'_> {
    /// Sets the sums: exact ones of whole numbers, times the step of their row.
    pub fn run(self, simd: Simd) {
        let (width, rows) = (self.width.max(1), self.factors.len());
        assert!(
            self.first.is_multiple_of(2) && self.codes.iter().all(|codes| codes.len().is_multiple_of(2 * width)),
            "pairs of slots"
        );
        let slots = self.codes.iter().map(|codes| codes.len() / width).sum::<usize>();
        assert!(self.first + slots <= SLOTS, "slots of one block");
        assert!(self.channels.end <= self.width && self.channels.len() <= GROUP, "channels of one group");
        assert_eq!(rows, self.steps.len(), "a step for each row of factors");
        let last = rows.saturating_sub(1) * self.stride;
        let has_room = self.channels.len() <= self.stride && last + self.channels.len() <= self.sums.len();
        assert!(rows == 0 || has_room, "room for every sum");
        run(simd, self);
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
        let Self { factors, width, .. } = *self;
        let mut sums = [[[0; LANES]; V]; R];
        // SAFETY: by the contract.
        unsafe {
            let mut ints = [[L::V::ints(0); V]; R];
            let mut slot = self.first;
            for codes in self.codes {
                for codes in codes.chunks_exact(2 * width) {
                    let codes = &codes[2 * self.channels.start..2 * self.channels.end];
                    for v in 0..V {
                        let codes = &codes[2 * channels[v]..];
                        let codes = match codes.first_chunk() {
                            Some(codes) => L::pairs(codes),
                            None => L::pairs(&some(codes)),
                        };
                        for r in 0..R {
                            let [a, b] = [slot, slot + 1].map(|slot| factors[row + r][slot]);
                            ints[r][v] = L::dot(ints[r][v], codes, i32::from(b) << 16 | i32::from(a as u16));
                        }
                    }
                    slot += 2;
                }
            }
            for r in 0..R {
                for v in 0..V {
                    L::store(ints[r][v], &mut sums[r][v]);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let (step, to) = (self.steps[row + r], &mut self.sums[(row + r) * self.stride..][..self.channels.len()]);
            to[channels[0]..].iter_mut().zip(sums.as_flattened()).for_each(|(to, sum)| *to = *sum as f32 * step);
        }
    }
}

/// Less than sixteen pairs, and zeros.
#[inline(always)]
fn some(codes: &[i8]) -> [i8; 2 * LANES] {
    let mut out = [0; 2 * LANES];
    out.iter_mut().zip(codes).for_each(|(to, code)| *to = *code);
    out
}
