//! The kernel for weights `[in, out]`: rows of weights scaled by inputs and summed.

use super::Product;
use crate::lanes::{Element, load, load_tail, mul_add};
use crate::simd::Kernel;
use crate::threads::ColumnBlock;

/// Fewer rows than this stream the weights row by row, with the sums in memory.
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
        let columns = self.block.range().len();
        if self.product.rows < FEW {
            return (0..self.product.rows).for_each(|row| self.stream::<N, FMA>(row));
        }
        let mut column = 0;
        while column + 4 * N <= columns && N == 16 {
            self.strip::<4, N, FMA>(column);
            column += 4 * N;
        }
        while column + 2 * N <= columns {
            self.strip::<2, N, FMA>(column);
            column += 2 * N;
        }
        while column + N <= columns {
            self.strip::<1, N, FMA>(column);
            column += N;
        }
        if column < columns {
            self.tail::<N, FMA>(column);
        }
    }
}

impl<E: Element> Block<'_, E> {
    /// All outputs of the block for one row, four inputs at a time.
    #[inline(always)]
    fn stream<const N: usize, const FMA: bool>(&mut self, row: usize) {
        let Product { x, d_in, d_out, .. } = *self.product;
        let range = self.block.range();
        let x = &x[row * d_in..][..d_in];
        let weights = |k: usize| &self.w[k * d_out + range.start..][..range.len()];
        let y = self.block.row(row);
        y.fill(0.0);
        let whole = d_in - d_in % 4;
        for k in (0..whole).step_by(4) {
            let [a, b, c, d] = [weights(k), weights(k + 1), weights(k + 2), weights(k + 3)];
            for (i, y) in y.iter_mut().enumerate() {
                let sum = mul_add::<FMA>(x[k], a[i].widen(), *y);
                let sum = mul_add::<FMA>(x[k + 1], b[i].widen(), sum);
                let sum = mul_add::<FMA>(x[k + 2], c[i].widen(), sum);
                *y = mul_add::<FMA>(x[k + 3], d[i].widen(), sum);
            }
        }
        for (k, input) in x.iter().enumerate().skip(whole) {
            for (y, w) in y.iter_mut().zip(weights(k)) {
                *y = mul_add::<FMA>(*input, w.widen(), *y);
            }
        }
        self.product.finish(y, row, range.start);
    }

    /// Outputs `column..column + V·N` of all rows, four rows at a time.
    #[inline(always)]
    fn strip<const V: usize, const N: usize, const FMA: bool>(&mut self, column: usize) {
        let rows = self.product.rows;
        let mut row = 0;
        while row + 4 <= rows {
            self.tile::<4, V, N, FMA>(row, column);
            row += 4;
        }
        while row < rows {
            self.tile::<1, V, N, FMA>(row, column);
            row += 1;
        }
    }

    #[inline(always)]
    fn tile<const MR: usize, const V: usize, const N: usize, const FMA: bool>(&mut self, row: usize, column: usize) {
        let Product { x, d_in, d_out, .. } = *self.product;
        let start = self.block.range().start;
        let mut sums = [[[0.0; N]; V]; MR];
        for k in 0..d_in {
            let w = &self.w[k * d_out + start + column..][..V * N];
            for v in 0..V {
                let weights = load::<N, E>(&w[v * N..v * N + N]);
                for m in 0..MR {
                    let input = x[(row + m) * d_in + k];
                    for lane in 0..N {
                        sums[m][v][lane] = mul_add::<FMA>(input, weights[lane], sums[m][v][lane]);
                    }
                }
            }
        }
        for (m, sums) in sums.iter().enumerate() {
            let y = &mut self.block.row(row + m)[column..column + V * N];
            self.product.put(y, sums.as_flattened(), row + m, start + column);
        }
    }

    /// The last outputs, fewer than `N`, of all rows.
    #[inline(always)]
    fn tail<const N: usize, const FMA: bool>(&mut self, column: usize) {
        let Product { x, d_in, d_out, rows, .. } = *self.product;
        let start = self.block.range().start;
        for row in 0..rows {
            let y = &mut self.block.row(row)[column..];
            let mut sums = [0.0; N];
            for k in 0..d_in {
                let weights = load_tail::<N, E>(&self.w[k * d_out + start + column..][..y.len()]);
                for lane in 0..N {
                    sums[lane] = mul_add::<FMA>(x[row * d_in + k], weights[lane], sums[lane]);
                }
            }
            self.product.put(y, &sums, row, start + column);
        }
    }
}
