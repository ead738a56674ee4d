//! Panels of floats: `[d_in, 16]` each.
#![allow(unsafe_code, reason = "an index check in the innermost loop would keep its sums in memory")]

use std::ops::Range;

use half::{bf16, f16};

use crate::lanes::{Element, mul_add};
use crate::matmul::Product;
use crate::param::DType;
use crate::reads::{STREAMS, ahead, prefetch};
use crate::simd::Kernel;

use super::PANEL;
use super::blocks::{Block, Outputs};

/// Inputs of one pass: a pair of panels of that depth and the rows of a tile stay in the first-level cache.
const DEPTH: usize = 256;

/// Rows of one pass, which stay in the second-level cache while panels pass by.
const HEIGHT: usize = 192;

/// Writes sixteen rows of `d_in` numbers side by side.
pub(crate) fn pack<const BYTES: usize>(rows: &[f32], d_in: usize, out: &mut [u8], bytes: impl Fn(f32) -> [u8; BYTES]) {
    for (at, out) in out.chunks_exact_mut(BYTES).enumerate() {
        out.copy_from_slice(&bytes(rows[at % PANEL * d_in + at / PANEL]));
    }
}

/// One number of a panel.
pub(crate) fn at(panel: &[u8], dtype: DType, index: usize) -> f32 {
    let bytes = &panel[index * dtype.size()..][..dtype.size()];
    match (dtype, bytes) {
        (DType::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
        (DType::Bf16, &[a, b]) => bf16::from_le_bytes([a, b]).widen(),
        (DType::F16, &[a, b]) => f16::from_le_bytes([a, b]).widen(),
        _ => unreachable!("a number has the bytes of its type"),
    }
}

/// One task.
pub(crate) struct FloatPanels<'a, E> {
    pub(crate) product: &'a Product<'a>,
    pub(crate) panels: &'a [E],
    pub(crate) block: Block,
    pub(crate) out: Outputs<'a>,
}

impl<E: Element> Kernel for FloatPanels<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(mut self) {
        let block = self.block.clone();
        let (rows, d_in) = (self.product.rows, self.product.d_in);
        if block.streams == STREAMS {
            for at in block.range.clone() {
                let panels = std::array::from_fn::<_, STREAMS, _>(|stream| block.panel(at, stream));
                (0..rows).for_each(|row| self.tile::<1, STREAMS, FMA>(row, panels, 0, d_in));
            }
            return;
        }
        if block.in_order {
            return block.range.for_each(|at| self.strip::<1, N, FMA>(0..rows, [at], 0, d_in));
        }
        for k in (0..d_in).step_by(DEPTH) {
            let depth = DEPTH.min(d_in - k);
            for first in (0..rows).step_by(HEIGHT) {
                let some = first..rows.min(first + HEIGHT);
                let mut at = block.range.start;
                while N == 16 && at + 2 <= block.range.end {
                    self.strip::<2, N, FMA>(some.clone(), [at, at + 1], k, depth);
                    at += 2;
                }
                while at < block.range.end {
                    self.strip::<1, N, FMA>(some.clone(), [at], k, depth);
                    at += 1;
                }
            }
        }
    }
}

impl<E: Element> FloatPanels<'_, E> {
    /// Some rows of some panels.
    #[inline(always)]
    fn strip<const NP: usize, const N: usize, const FMA: bool>(
        &mut self,
        rows: Range<usize>,
        panels: [usize; NP],
        k: usize,
        depth: usize,
    ) {
        let mut row = rows.start;
        while N == 16 && row + 12 <= rows.end {
            self.tile::<12, NP, FMA>(row, panels, k, depth);
            row += 12;
        }
        while N == 8 && row + 6 <= rows.end {
            self.tile::<6, NP, FMA>(row, panels, k, depth);
            row += 6;
        }
        while row + 4 <= rows.end {
            self.tile::<4, NP, FMA>(row, panels, k, depth);
            row += 4;
        }
        while row < rows.end {
            self.tile::<1, NP, FMA>(row, panels, k, depth);
            row += 1;
        }
    }

    #[allow(clippy::needless_range_loop, reason = "indices of several arrays, unrolled")]
    /// `MR` rows by `NP` panels over `depth` inputs from `k` on, added to what earlier inputs gave.
    #[inline(always)]
    fn tile<const MR: usize, const NP: usize, const FMA: bool>(
        &mut self,
        row: usize,
        panels: [usize; NP],
        k: usize,
        depth: usize,
    ) {
        let Product { x, d_in, .. } = *self.product;
        let mut sums = [[[0.0; PANEL]; NP]; MR];
        if k > 0 {
            for m in 0..MR {
                for p in 0..NP {
                    sums[m][p] = read(self.out.panel(row + m, panels[p]));
                }
            }
        }
        let mut xs = [&x[..0]; MR];
        for m in 0..MR {
            xs[m] = &x[(row + m) * d_in + k..][..depth];
        }
        let mut ws = [&self.panels[..0]; NP];
        for p in 0..NP {
            let start = (panels[p] * d_in + k) * PANEL;
            ws[p] = self.panels.get(start..start + depth * PANEL).unwrap_or(&self.panels[..depth * PANEL]);
        }
        let ahead = ahead() / size_of::<E>();
        for step in 0..depth {
            let mut w = [[0.0; PANEL]; NP];
            for p in 0..NP {
                if MR == 1 {
                    prefetch(ws[p].as_ptr().wrapping_add(step * PANEL + ahead));
                }
                // SAFETY: `ws` has `depth` panels' rows, by the slices above; a check here would spill the sums.
                let stored = unsafe { ws[p].get_unchecked(step * PANEL..(step + 1) * PANEL) };
                w[p] = std::array::from_fn(|lane| stored[lane].widen());
            }
            // Rows outside: one register holds an input as long as it is needed.
            for m in 0..MR {
                // SAFETY: as above, `xs` has `depth` inputs.
                let input = unsafe { *xs[m].get_unchecked(step) };
                for p in 0..NP {
                    for lane in 0..PANEL {
                        sums[m][p][lane] = mul_add::<FMA>(input, w[p][lane], sums[m][p][lane]);
                    }
                }
            }
        }
        let last = k + depth == d_in;
        for m in 0..MR {
            for p in 0..NP {
                let start = panels[p] * PANEL;
                let y = self.out.panel(row + m, panels[p]);
                write(y, sums[m][p]);
                if last && !y.is_empty() {
                    self.product.finish(y, row + m, start);
                }
            }
        }
    }
}

/// The sums of a panel, which may be less than whole. Whole ones are a load, by way of an array of its own, so that others
/// stay in registers.
#[inline(always)]
fn read(y: &[f32]) -> [f32; PANEL] {
    if let Ok(lanes) = y.try_into() {
        return lanes;
    }
    let mut lanes = [0.0; PANEL];
    lanes[..y.len()].copy_from_slice(y);
    lanes
}

#[inline(always)]
fn write(y: &mut [f32], lanes: [f32; PANEL]) {
    if let Ok(whole) = <&mut [f32; PANEL]>::try_from(&mut *y) {
        *whole = lanes;
        return;
    }
    y.copy_from_slice(&lanes[..y.len()]);
}
