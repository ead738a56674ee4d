//! The kernel for weights `[out, in]`: dot products in register tiles.

use super::Product;
use crate::lanes::{Element, accumulate, load, load_tail, sum};
use crate::simd::Kernel;
use crate::threads::ColumnBlock;

/// Inputs that a pass covers: tiles of that depth stay in the first-level cache.
const DEPTH: usize = 1024;

/// Up to so many rows stream the weights once, eight outputs at a time.
const FEW: usize = 4;

/// One task: a block of outputs of all rows.
pub(crate) struct Block<'a, E> {
    pub(crate) product: &'a Product<'a>,
    pub(crate) w: &'a [E],
    pub(crate) block: ColumnBlock<'a>,
}

impl<E: Element> Kernel for Block<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(mut self) {
        let Product { rows, d_in, .. } = *self.product;
        let range = self.block.range();
        let columns = range.len();
        for row in 0..rows {
            let y = self.block.row(row);
            y.fill(0.0);
            self.product.add_bias(y, range.start);
        }
        // Few rows stream the weights once, row by row; many rows reuse tiles of them.
        let group = if rows <= FEW { 8 } else { columns.max(1) };
        for first in (0..columns).step_by(group) {
            let last = (first + group).min(columns);
            for k in (0..d_in).step_by(DEPTH) {
                let depth = DEPTH.min(d_in - k);
                self.pass::<N, FMA>(first, last, k, depth);
            }
        }
        for row in 0..rows {
            self.product.add_onto(self.block.row(row), row, range.start);
        }
    }
}

impl<E: Element> Block<'_, E> {
    /// Adds the products of inputs `k..k + depth` to outputs `first..last` of the block.
    #[inline(always)]
    fn pass<const N: usize, const FMA: bool>(&mut self, first: usize, last: usize, k: usize, depth: usize) {
        let rows = self.product.rows;
        if rows == 1 {
            return self.strip::<1, 8, N, FMA>(0, first, last, k, depth);
        }
        let mut column = first;
        while column < last {
            let end = (column + 4).min(last);
            let mut row = 0;
            while row < rows {
                match rows - row {
                    1 => self.strip::<1, 4, N, FMA>(row, column, end, k, depth),
                    2 | 3 => self.strip::<2, 4, N, FMA>(row, column, end, k, depth),
                    _ if N == 16 => self.strip::<4, 4, N, FMA>(row, column, end, k, depth),
                    _ => self.strip::<4, 2, N, FMA>(row, column, end, k, depth),
                }
                row += match rows - row {
                    1 => 1,
                    2 | 3 => 2,
                    _ => 4,
                };
            }
            column = end;
        }
    }

    /// `MR` rows from `row` on by outputs `first..last`, `NR` at a time.
    #[inline(always)]
    fn strip<const MR: usize, const NR: usize, const N: usize, const FMA: bool>(
        &mut self,
        row: usize,
        first: usize,
        last: usize,
        k: usize,
        depth: usize,
    ) {
        let d_in = self.product.d_in;
        let x = &self.product.x[row * d_in + k..];
        let mut column = first;
        while column + NR <= last {
            let w = &self.w[(self.block.range().start + column) * d_in + k..];
            let sums = tile::<E, MR, NR, N, FMA>(x, w, d_in, depth);
            self.add(row, column, sums);
            column += NR;
        }
        while column < last {
            let w = &self.w[(self.block.range().start + column) * d_in + k..];
            let sums = tile::<E, MR, 1, N, FMA>(x, w, d_in, depth);
            self.add(row, column, sums);
            column += 1;
        }
    }

    #[inline(always)]
    fn add<const MR: usize, const NR: usize>(&mut self, row: usize, column: usize, sums: [[f32; NR]; MR]) {
        for (offset, sums) in sums.iter().enumerate() {
            let y = &mut self.block.row(row + offset)[column..column + NR];
            y.iter_mut().zip(sums).for_each(|(y, sum)| *y += sum);
        }
    }
}

/// The dot products of `MR` rows of `x` with `NR` rows of `w`, all `stride` apart.
#[inline(always)]
fn tile<E: Element, const MR: usize, const NR: usize, const N: usize, const FMA: bool>(
    x: &[f32],
    w: &[E],
    stride: usize,
    depth: usize,
) -> [[f32; NR]; MR] {
    let mut xs = [&x[..0]; MR];
    for m in 0..MR {
        xs[m] = &x[m * stride..][..depth];
    }
    let mut ws = [&w[..0]; NR];
    for n in 0..NR {
        ws[n] = &w[n * stride..][..depth];
    }
    let mut sums = [[[0.0; N]; NR]; MR];
    let whole = depth - depth % N;
    let mut k = 0;
    while k < whole {
        let mut lanes = [[0.0; N]; MR];
        for m in 0..MR {
            lanes[m] = load::<N, f32>(&xs[m][k..k + N]);
        }
        for n in 0..NR {
            let weights = load::<N, E>(&ws[n][k..k + N]);
            for m in 0..MR {
                accumulate::<N, FMA>(&mut sums[m][n], &lanes[m], &weights);
            }
        }
        k += N;
    }
    if whole < depth {
        for n in 0..NR {
            let weights = load_tail::<N, E>(&ws[n][whole..]);
            for m in 0..MR {
                let lanes = load_tail::<N, f32>(&xs[m][whole..]);
                accumulate::<N, FMA>(&mut sums[m][n], &lanes, &weights);
            }
        }
    }
    let mut totals = [[0.0; NR]; MR];
    for m in 0..MR {
        for n in 0..NR {
            totals[m][n] = sum(sums[m][n]);
        }
    }
    totals
}

/// The dot products of `x` with `NR` rows of `w`, `stride` apart.
#[inline(always)]
pub fn dots<const NR: usize, const N: usize, const FMA: bool>(x: &[f32], w: &[f32], stride: usize) -> [f32; NR] {
    tile::<f32, 1, NR, N, FMA>(x, w, stride, x.len())[0]
}
