//! Small products of matrices on one thread, with the sums in registers.

use formwork_tensor::lanes::{load, load_tail, mul_add};

/// `y [m, p] += a [m, k] · b [k, p]`.
#[inline(always)]
pub(crate) fn add_product<const N: usize, const FMA: bool>(y: &mut [f32], a: &[f32], b: &[f32], [m, k, p]: [usize; 3]) {
    let mut column = 0;
    while column + 2 * N <= p {
        strip::<2, N, FMA>(y, a, b, [m, k, p], column);
        column += 2 * N;
    }
    while column + N <= p {
        strip::<1, N, FMA>(y, a, b, [m, k, p], column);
        column += N;
    }
    if column < p {
        for row in 0..m {
            let mut sums = [0.0; N];
            for (at, weight) in a[row * k..][..k].iter().enumerate() {
                let lanes = load_tail::<N, f32>(&b[at * p + column..(at + 1) * p]);
                (0..N).for_each(|lane| sums[lane] = mul_add::<FMA>(*weight, lanes[lane], sums[lane]));
            }
            y[row * p + column..(row + 1) * p].iter_mut().zip(sums).for_each(|(y, sum)| *y += sum);
        }
    }
}

/// Columns `column..column + V·N`, four rows at a time.
#[inline(always)]
fn strip<const V: usize, const N: usize, const FMA: bool>(
    y: &mut [f32],
    a: &[f32],
    b: &[f32],
    [m, k, p]: [usize; 3],
    column: usize,
) {
    let mut row = 0;
    while row + 4 <= m {
        tile::<4, V, N, FMA>(y, a, b, [row, k, p], column);
        row += 4;
    }
    while row < m {
        tile::<1, V, N, FMA>(y, a, b, [row, k, p], column);
        row += 1;
    }
}

#[inline(always)]
fn tile<const R: usize, const V: usize, const N: usize, const FMA: bool>(
    y: &mut [f32],
    a: &[f32],
    b: &[f32],
    [row, k, p]: [usize; 3],
    column: usize,
) {
    let mut sums = [[[0.0; N]; V]; R];
    for at in 0..k {
        let b = &b[at * p + column..][..V * N];
        for v in 0..V {
            let lanes = load::<N, f32>(&b[v * N..]);
            for r in 0..R {
                let weight = a[(row + r) * k + at];
                for lane in 0..N {
                    sums[r][v][lane] = mul_add::<FMA>(weight, lanes[lane], sums[r][v][lane]);
                }
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let y = &mut y[(row + r) * p + column..][..V * N];
        y.iter_mut().zip(sums.as_flattened()).for_each(|(y, sum)| *y += sum);
    }
}
