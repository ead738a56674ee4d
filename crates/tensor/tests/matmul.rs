//! Matrix products against an f64 twin, over odd sizes, types, layouts and SIMD levels.

use formwork_tensor::{Context, DType, Layout, Matrix, Param, Simd};

/// Numbers in [-1, 1) with few bits, so that 16-bit types hold them exactly.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 56) as f32 - 128.0) / 128.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn param(dims: &[usize], dtype: DType, data: &[f32]) -> Param {
    let bytes: Vec<u8> = match dtype {
        DType::F32 => return Param::from_f32(dims, data),
        DType::Bf16 => data.iter().flat_map(|x| half::bf16::from_f32(*x).to_le_bytes()).collect(),
        DType::F16 => data.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect(),
    };
    Param::from_bytes(dims, dtype, &bytes)
}

fn check(ctx: &Context, dtype: DType, layout: Layout, [rows, d_in, d_out]: [usize; 3]) -> Vec<f32> {
    let x = numbers(rows * d_in, 1);
    let w = numbers(d_in * d_out, 2);
    let bias = numbers(d_out, 3);
    let dims = match layout {
        Layout::OutIn => [d_out, d_in],
        Layout::InOut => [d_in, d_out],
    };
    let matrix = Matrix::new(param(&dims, dtype, &w), layout);
    let mut y = ctx.tensor(&[rows, d_out]);
    matrix.multiply(&ctx.from_slice(&[rows, d_in], &x), Some(&bias), &mut y);
    for row in 0..rows {
        for column in 0..d_out {
            let weight = |k: usize| match layout {
                Layout::OutIn => w[column * d_in + k],
                Layout::InOut => w[k * d_out + column],
            };
            let terms = (0..d_in).map(|k| f64::from(x[row * d_in + k]) * f64::from(weight(k)));
            let exact = f64::from(bias[column]) + terms.sum::<f64>();
            let found = f64::from(y.data()[row * d_out + column]);
            assert!(
                (exact - found).abs() < 1e-5 * (d_in as f64).sqrt().max(1.0),
                "{dtype:?} {layout:?} {rows}x{d_in}x{d_out} at {row},{column}: {found} not {exact}"
            );
        }
    }
    y.data().to_vec()
}

#[test]
fn products_are_exact_over_tails() {
    for simd in Simd::supported() {
        let ctx = Context::with(1, simd);
        for layout in [Layout::OutIn, Layout::InOut] {
            for size in 1..=70 {
                check(&ctx, DType::F32, layout, [1, size, 9]);
                check(&ctx, DType::F32, layout, [2, 17, size]);
                check(&ctx, DType::Bf16, layout, [size % 11 + 1, size, 5]);
                check(&ctx, DType::F16, layout, [size, 5, size]);
            }
        }
    }
}

#[test]
fn deep_products_are_exact() {
    for simd in Simd::supported() {
        let ctx = Context::with(2, simd);
        for dtype in [DType::F32, DType::Bf16, DType::F16] {
            check(&ctx, dtype, Layout::OutIn, [5, 2100, 70]);
            check(&ctx, dtype, Layout::InOut, [5, 2100, 70]);
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    for layout in [Layout::OutIn, Layout::InOut] {
        for rows in [1, 7] {
            let [one, two, three] = [1, 2, 3].map(|threads| {
                let ctx = Context::with(threads, Simd::supported()[0]);
                check(&ctx, DType::F32, layout, [rows, 1500, 700])
            });
            assert!(one == two && two == three);
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    let (d_in, d_out) = (1300, 45);
    for simd in Simd::supported() {
        let ctx = Context::with(1, simd);
        for layout in [Layout::OutIn, Layout::InOut] {
            let dims = if layout == Layout::OutIn { [d_out, d_in] } else { [d_in, d_out] };
            let matrix = Matrix::new(Param::from_f32(&dims, &numbers(d_in * d_out, 5)), layout);
            let x = ctx.from_slice(&[11, d_in], &numbers(11 * d_in, 6));
            let mut all = ctx.tensor(&[11, d_out]);
            matrix.multiply(&x, None, &mut all);
            for count in 1..11 {
                let mut some = ctx.tensor(&[count, d_out]);
                matrix.multiply(&x.rows(11 - count..11), None, &mut some);
                assert_eq!(some.data(), &all.data()[(11 - count) * d_out..], "{simd:?} {count}");
            }
        }
    }
}

#[test]
fn products_add_to_a_residual_and_share_their_input() {
    let (rows, d_in, d_out) = (5, 70, 45);
    for simd in Simd::supported() {
        let ctx = Context::with(2, simd);
        let x = ctx.from_slice(&[rows, d_in], &numbers(rows * d_in, 6));
        let bias = numbers(d_out, 8);
        let matrices = [Layout::OutIn, Layout::InOut].map(|layout| {
            let dims = if layout == Layout::OutIn { [d_out, d_in] } else { [d_in, d_out] };
            Matrix::new(Param::from_f32(&dims, &numbers(d_in * d_out, 5)), layout)
        });
        let [a, b] = &matrices;
        let (mut first, mut second) = (ctx.tensor(&[rows, d_out]), ctx.tensor(&[rows, d_out]));
        Matrix::multiply_all(&x, &[(a, None), (b, Some(&bias))], &mut [&mut first, &mut second]);
        for (matrix, bias, found) in [(a, None, &first), (b, Some(&bias[..]), &second)] {
            let mut alone = ctx.tensor(&[rows, d_out]);
            matrix.multiply(&x, bias, &mut alone);
            assert_eq!(alone.data(), found.data());
            let start = numbers(rows * d_out, 9);
            let onto = ctx.from_slice(&[rows, d_out], &start);
            let mut sum = ctx.tensor(&[rows, d_out]);
            matrix.multiply_onto(&x, bias, &onto, &mut sum);
            assert_eq!(sum.data(), (onto + alone).data(), "{simd:?}");
        }
    }
}
