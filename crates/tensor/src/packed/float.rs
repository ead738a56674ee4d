//! Panels of floats: `[d_in, 16]` each.

use half::{bf16, f16};

use crate::lanes::{Element, mul_add};
use crate::matmul::Product;
use crate::param::DType;
use crate::reads::{Prefetch, STREAMS};
use crate::simd::Kernel;

use super::PANEL;
use super::blocks::{Block, Outputs, write};
use super::strips::{Strips, by_height};

/// Inputs of one pass: a panel of that depth and a strip of inputs stay in the first-level cache.
const DEPTH: usize = 256;

/// Rows of one pass, which stay in the second-level cache while panels pass by: whole strips.
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

/// `unrolled!(r < R => block)`: the block for each `r` below `R`, at most twelve. A loop would be compiled for vectors of rows, whose
/// inputs stand side by side.
macro_rules! unrolled {
    ($r:ident < $count:ident => $block:block) => {
        unrolled!($r < $count => $block for 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    ($r:ident < $count:ident => $block:block for $($number:literal)*) => {
        $(let $r = $number;
        if $r < $count $block)*
    };
}

/// One task.
pub(crate) struct FloatPanels<'a, E> {
    pub(crate) product: &'a Product<'a>,
    /// The input of several rows.
    pub(crate) strips: Option<&'a Strips<'a>>,
    pub(crate) panels: &'a [E],
    pub(crate) block: Block,
    pub(crate) out: Outputs<'a>,
}

impl<E: Element> Kernel for FloatPanels<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(mut self) {
        match self.strips {
            Some(strips) if self.block.streams == STREAMS => by_height!(N, H => self.few::<H, N, FMA>(strips)),
            Some(strips) => by_height!(N, H => self.strips::<H, N, FMA>(strips)),
            None if self.block.streams == STREAMS => self.row::<STREAMS, N, FMA>(),
            None => self.row::<1, N, FMA>(),
        }
    }
}

impl<E: Element> FloatPanels<'_, E> {
    /// One row, panels side by side.
    #[inline(always)]
    fn row<const NP: usize, const N: usize, const FMA: bool>(&mut self) {
        let inputs = self.product.x.as_chunks::<1>().0;
        for at in self.block.range.clone() {
            self.tile::<1, 1, NP, N, FMA>(0, self.block.side_by_side(at), 0, inputs);
        }
    }

    /// The rows of one strip, as many panels side by side as registers hold sums of.
    #[inline(always)]
    fn few<const H: usize, const N: usize, const FMA: bool>(&mut self, strips: &Strips<'_>) {
        let Product { rows, d_in, .. } = *self.product;
        let inputs = strips.inputs(0, 0, d_in);
        for at in self.block.range.clone() {
            let panels: [usize; STREAMS] = self.block.side_by_side(at);
            match rows {
                3.. => self.tile::<4, H, STREAMS, N, FMA>(0, panels, 0, inputs),
                _ if H == 12 => self.tile::<2, H, STREAMS, N, FMA>(0, panels, 0, inputs),
                _ => panels.as_chunks().0.iter().for_each(|pair| self.tile::<2, H, 2, N, FMA>(0, *pair, 0, inputs)),
            }
        }
    }

    /// Strip by strip.
    #[inline(always)]
    fn strips<const H: usize, const N: usize, const FMA: bool>(&mut self, strips: &Strips<'_>) {
        let (Product { rows, d_in, .. }, range) = (*self.product, self.block.range.clone());
        // A strip or two read every panel as it stands.
        let most = if rows <= 2 * H { d_in.max(1) } else { DEPTH };
        for k in (0..d_in).step_by(most) {
            let depth = most.min(d_in - k);
            for first in (0..rows).step_by(HEIGHT) {
                for panel in range.clone() {
                    for row in (first..rows.min(first + HEIGHT)).step_by(H) {
                        self.strip::<H, N, FMA>(row, panel, k, strips.inputs(row, k, depth));
                    }
                }
            }
        }
    }

    /// One strip by one panel.
    #[inline(always)]
    fn strip<const H: usize, const N: usize, const FMA: bool>(
        &mut self,
        row: usize,
        panel: usize,
        k: usize,
        inputs: &[[f32; H]],
    ) {
        match self.product.rows - row {
            9.. if H == 12 => self.tile::<12, H, 1, N, FMA>(row, [panel], k, inputs),
            5.. if H == 12 => self.tile::<8, H, 1, N, FMA>(row, [panel], k, inputs),
            5.. if H == 6 => self.tile::<6, H, 1, N, FMA>(row, [panel], k, inputs),
            3.. => self.tile::<4, H, 1, N, FMA>(row, [panel], k, inputs),
            _ => self.tile::<2, H, 1, N, FMA>(row, [panel], k, inputs),
        }
    }

    /// `R` rows of a strip of `H`, or as many as there are, by `NP` panels over inputs from `k` on, added to what earlier ones gave.
    #[allow(clippy::needless_range_loop, reason = "indices of several arrays, unrolled")]
    #[inline(always)]
    fn tile<const R: usize, const H: usize, const NP: usize, const N: usize, const FMA: bool>(
        &mut self,
        row: usize,
        panels: [usize; NP],
        k: usize,
        inputs: &[[f32; H]],
    ) {
        let (d_in, depth) = (self.product.d_in, inputs.len());
        let rows = R.min(self.product.rows - row);
        let mut sums = [[[0.0; PANEL]; NP]; R];
        if k > 0 {
            unrolled!(r < R => {
                for p in 0..NP {
                    sums[r][p] = read(self.out.panel(row + r.min(rows - 1), panels[p]));
                }
            });
        }
        let all = self.panels.as_chunks::<PANEL>().0;
        let mut ws = [&all[..0]; NP];
        for p in 0..NP {
            let start = panels[p] * d_in + k;
            ws[p] = all.get(start..start + depth).unwrap_or(&all[..depth]);
        }
        let prefetch = Prefetch::of_weights();
        for (step, inputs) in inputs.iter().enumerate() {
            let mut w = [[0.0; PANEL]; NP];
            for p in 0..NP {
                prefetch.ask(ws[p].as_ptr().wrapping_add(step));
                w[p] = E::widen_all::<N, PANEL>(&ws[p][step]);
            }
            // Rows outside: one register holds an input as long as it is needed.
            unrolled!(r < R => {
                for p in 0..NP {
                    for lane in 0..PANEL {
                        sums[r][p][lane] = mul_add::<FMA>(inputs[r], w[p][lane], sums[r][p][lane]);
                    }
                }
            });
        }
        let last = k + depth == d_in;
        unrolled!(r < R => {
            for p in 0..NP {
                if r < rows {
                    self.put(row + r, panels[p], sums[r][p], last);
                }
            }
        });
    }

    /// Writes the sums of a panel, and what comes after the last.
    #[inline(always)]
    fn put(&mut self, row: usize, panel: usize, sums: [f32; PANEL], last: bool) {
        let y = self.out.panel(row, panel);
        write(y, sums);
        if last && !y.is_empty() {
            self.product.finish(y, row, panel * PANEL);
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
