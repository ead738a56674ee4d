//! Products of rounded queries with panels of keys.

use half::f16;

use super::{GROUP, Ints, LANES, Lanes, Pairs, Rounded, Tiles, Walk, height, run};
use crate::reads::Next;
use crate::simd::Simd;
use crate::sixteen::Sixteen as _;

/// Sixteen keys side by side.
#[derive(Clone, Copy)]
pub struct Panel<'a> {
    /// `[width / 2, 16, 2]`; the last channel of an odd width follows as `[16]`.
    pub codes: &'a [i8],
    /// `[width.div_ceil(GROUP), 16]`
    pub scales: &'a [f16],
}

/// The products of some queries with the keys of some panels.
pub struct Scores<'a> {
    /// The queries.
    pub queries: &'a Rounded,
    /// The keys.
    pub panels: &'a [Panel<'a>],
    /// For each query, `stride` numbers apart, sixteen for each panel.
    pub scores: &'a mut [f32],
    /// At least sixteen for each panel.
    pub stride: usize,
}

impl Scores<'_> {
    /// Computes them: exact sums by group, times both scales, are added in the order of groups.
    pub fn run(self, simd: Simd) {
        let Rounded { rows, width, .. } = *self.queries;
        let [codes, scales] = [width, width.div_ceil(GROUP)].map(|count| count * LANES);
        assert!(
            self.panels.iter().all(|panel| panel.codes.len() == codes && panel.scales.len() == scales),
            "whole panels"
        );
        let (len, last) = (self.panels.len() * LANES, rows.saturating_sub(1) * self.stride);
        assert!(len <= self.stride && (rows == 0 || last + len <= self.scores.len()), "room for every score");
        run(simd, self);
    }
}

impl Walk for Scores<'_> {
    /// Two panels at a time: memory serves two streams faster than one.
    #[inline(always)]
    unsafe fn walk<L: Lanes>(mut self) {
        let (panels, rows) = (self.panels.len(), self.queries.rows);
        let half = panels.div_ceil(2);
        for at in 0..half {
            let both = [at, half + at];
            let mut row = 0;
            while row < rows {
                let strip = height(rows - row, L::TALLEST);
                // SAFETY: by the contract.
                unsafe {
                    match (both[1] < panels, strip <= L::TALLEST / 2) {
                        (true, true) => self.strip::<L, 2>(strip, row, both),
                        (true, false) => {
                            self.strip::<L, 1>(strip, row, [at]);
                            self.strip::<L, 1>(strip, row, [half + at]);
                        }
                        (false, _) => self.strip::<L, 1>(strip, row, [at]),
                    }
                }
                row += strip;
            }
        }
    }
}

impl Tiles for Scores<'_> {
    #[allow(clippy::needless_range_loop, reason = "indices of several arrays, unrolled")]
    #[inline(always)]
    unsafe fn tile<L: Lanes, const R: usize, const P: usize>(&mut self, row: usize, panels: [usize; P]) {
        let Rounded { words, scales, rows, width } = self.queries;
        let pairs = width / 2;
        let [mut of_pairs, mut of_single] = [[&[][..]; P]; 2];
        let mut of_keys = [&[][..]; P];
        let next = panels.map(|panel| Next::behind(self.panels[panel].codes));
        let mut ahead = next.map(|next| next.share(row..row + R, *rows, pairs));
        for p in 0..P {
            let Panel { codes, scales } = self.panels[panels[p]];
            (of_pairs[p], of_single[p]) = codes.split_at(pairs * 2 * LANES);
            of_keys[p] = &scales.as_chunks::<LANES>().0[..width.div_ceil(GROUP)];
        }
        // SAFETY: by the contract.
        unsafe {
            let mut sums = [[L::V::floats(); P]; R];
            for group in 0..width.div_ceil(GROUP) {
                let mut ints = [[L::V::ints(0); P]; R];
                let of_group = group * GROUP / 2..((group + 1) * GROUP / 2).min(pairs);
                let inputs = words[of_group.start * rows..of_group.end * rows].chunks_exact(*rows);
                let mut codes = [&[][..]; P];
                for p in 0..P {
                    codes[p] = &of_pairs[p].as_chunks().0[of_group.clone()];
                }
                for (pair, inputs) in inputs.enumerate() {
                    for p in 0..P {
                        ahead[p].ask();
                        add::<L, R, P>(&mut ints, p, L::pairs(&codes[p][pair]), &inputs[row..row + R]);
                    }
                }
                if (group + 1) * GROUP / 2 > pairs && width % 2 == 1 {
                    for p in 0..P {
                        let codes = L::singles(&of_single[p].as_chunks().0[0]);
                        add::<L, R, P>(&mut ints, p, codes, &words[pairs * rows + row..][..R]);
                    }
                }
                for p in 0..P {
                    let of_keys = L::V::scales(of_keys[p][group].as_ptr());
                    for r in 0..R {
                        let scale = scales[group * rows + row + r];
                        sums[r][p] = L::V::add(sums[r][p], ints[r][p], of_keys, scale);
                    }
                }
            }
            for r in 0..R {
                for p in 0..P {
                    let to = &mut self.scores[(row + r) * self.stride + panels[p] * LANES..];
                    L::V::store(sums[r][p], to[..LANES].as_mut_ptr());
                }
            }
        }
    }
}

/// Adds the products of a pair of channels of one panel with the inputs of each row.
///
/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
unsafe fn add<L: Lanes, const R: usize, const P: usize>(
    sums: &mut [[Ints<L>; P]; R],
    panel: usize,
    codes: Pairs<L>,
    inputs: &[i32],
) {
    for (sums, inputs) in sums.iter_mut().zip(inputs) {
        // SAFETY: by the contract.
        sums[panel] = unsafe { L::dot(sums[panel], codes, *inputs) };
    }
}
