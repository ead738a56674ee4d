//! Products of rounded numbers against a twin in double precision.

use formwork_tensor::rounded::{Columns, Product, Rows, SIDE, STEP};
use formwork_tensor::{Context, Simd};
use half::bf16;

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Both sides `[rows, inputs]` and `[inputs, columns]`, laid out.
fn sides<'a>(ctx: &'a Context, [rows, inputs, columns]: [usize; 3], x: &[f32], w: &[f32]) -> (Rows<'a>, Columns<'a>) {
    let (mut left, mut right) = (Rows::new(ctx.device(), rows, inputs), Columns::new(ctx.device(), inputs, columns));
    for (row, x) in x.chunks_exact(inputs).enumerate() {
        left.set(row, 0, x);
    }
    for (step, w) in w.chunks(STEP * columns).enumerate() {
        let mut all = [&[][..]; STEP];
        all.iter_mut().zip(w.chunks_exact(columns)).for_each(|(input, w)| *input = w);
        right.set(0..columns.div_ceil(SIDE), step, &all);
    }
    (left, right)
}

/// The largest distance of sums of rounded numbers, whose products are exact, from one another: that of adding up.
fn bound(inputs: usize, sizes: f64) -> f64 {
    inputs as f64 * f64::from(f32::EPSILON) * sizes + 1e-30
}

#[test]
fn sums_are_those_of_rounded_numbers_and_nothing_else_is_written() {
    let cases = [[1, 1, 1], [16, 32, 16], [17, 33, 15], [48, 64, 80], [33, 40, 250], [70, 256, 66]];
    for simd in Simd::supported() {
        let ctx = Context::with(1, simd);
        for case @ [rows, inputs, columns] in cases {
            let (x, w) = (numbers(rows * inputs, 1), numbers(inputs * columns, 2));
            let (left, right) = sides(&ctx, case, &x, &w);
            let (stride, first) = (columns + 3, rows / 2 / SIDE * SIDE);
            let panels = columns.div_ceil(SIDE) / 3..columns.div_ceil(SIDE);
            let mut y = vec![7.0; (rows - first) * stride];
            let product = Product {
                rows: &left,
                columns: &right,
                of_rows: first..rows,
                of_columns: panels.clone(),
                of_inputs: 0..inputs.div_ceil(STEP),
            };
            product.run(&mut y, stride);
            for (at, y) in y.into_iter().enumerate() {
                let (row, column) = (first + at / stride, at % stride);
                if column < panels.start * SIDE || column >= columns {
                    assert_eq!(y, 7.0, "{simd:?} {case:?}: {row} {column} is another's");
                    continue;
                }
                let rounded = |x: f32| bf16::from_f32(x).to_f64();
                let products = (0..inputs).map(|k| rounded(x[row * inputs + k]) * rounded(w[k * columns + column]));
                let (sum, sizes) = products.fold((0.0, 0.0), |(sum, sizes), x| (sum + x, sizes + x.abs()));
                let distance = (f64::from(y) - sum).abs();
                assert!(distance <= bound(inputs, sizes), "{simd:?} {case:?}: {y} not {sum} at {row} {column}");
            }
        }
    }
}

#[test]
fn some_inputs_alone_are_multiplied_and_what_is_not_finite_stays_in_its_row_and_column() {
    let case @ [rows, inputs, columns] = [20, 96, 40];
    for simd in Simd::supported() {
        let ctx = Context::with(1, simd);
        let (mut x, mut w) = (vec![1.0; rows * inputs], vec![1.0; inputs * columns]);
        // Not among the inputs that are asked for.
        x[3 * inputs + 5] = f32::NAN;
        x[5 * inputs + 40] = f32::INFINITY;
        w[40 * columns + 7] = f32::NAN;
        let (mut left, right) = sides(&ctx, case, &x, &w);
        left.set(6, 2, &[2.0; 3]);
        let product =
            Product { rows: &left, columns: &right, of_rows: 0..rows, of_columns: 0..3, of_inputs: 1..inputs / STEP };
        let mut y = vec![0.0; rows * columns];
        product.run(&mut y, columns);
        for (at, y) in y.into_iter().enumerate() {
            match (at / columns, at % columns) {
                (_, 7) => assert!(y.is_nan(), "{simd:?}: {y} at {at}"),
                (5, _) => assert_eq!(y, f32::INFINITY, "{simd:?} at {at}"),
                (6, _) => assert_eq!(y, 38.0, "{simd:?} at {at}"),
                _ => assert_eq!(y, 64.0, "{simd:?} at {at}"),
            }
        }
    }
}
