//! Packed matrices: products against an f64 twin of the numbers they hold, and how near those are to the originals.

use std::sync::Arc;

use half::{bf16, f16};

use formwork_tensor::{Coded, CodedRows, Context, DType, Format, GROUP, Layout, Level, Matrix, Param, Precision, Simd};

const FORMATS: [Format; 7] = [
    Format::Float(DType::F32),
    Format::Float(DType::Bf16),
    Format::Float(DType::F16),
    Format::Q8,
    Format::Q6,
    Format::Q4,
    Format::Q4Zero,
];

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / f32::from(1_u16 << 12) / 2048.0) - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Rows from which on products are made in tiles.
const TILED: usize = 16;

/// Whether products see inputs and weights rounded to bf16.
fn is_rounded(ctx: &Context, format: Format, rows: usize) -> bool {
    let asked = ctx.device().precision() == Precision::Bf16;
    let simd = ctx.device().simd();
    let in_tiles = match (simd.level(), format) {
        (Level::Amx, Format::Q8 | Format::Q6 | Format::Q4 | Format::Q4Zero) => true,
        (_, Format::Float(_)) => asked && simd.has_bf16(),
        _ => false,
    };
    in_tiles && rows >= TILED
}

fn rounded(x: &[f32]) -> Vec<f32> {
    x.iter().map(|x| bf16::from_f32(*x).to_f32()).collect()
}

/// Products see the input in 8 bits where the weights are codes.
fn in_codes(format: Format, x: &[f32]) -> Vec<f32> {
    if matches!(format, Format::Float(_)) {
        return x.to_vec();
    }
    x.chunks(32)
        .flat_map(|group| {
            let scale = group.iter().fold(0.0_f32, |m, x| m.max(x.abs())) / 127.0;
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            group.iter().map(move |x| (x * inverse).round_ties_even() * scale)
        })
        .collect()
}

fn check(ctx: &Context, format: Format, [rows, d_in, d_out]: [usize; 3]) -> Vec<f32> {
    let (x, w, bias) = (numbers(rows * d_in, 1), numbers(d_in * d_out, 2), numbers(d_out, 3));
    let matrix = Matrix::new(Param::from_f32(&[d_out, d_in], &w), Layout::OutIn).pack(format, 2);
    let is_rounded = is_rounded(ctx, format, rows);
    let held = if is_rounded { rounded(&matrix.to_f32()) } else { matrix.to_f32() };
    let mut y = ctx.tensor(&[rows, d_out]);
    matrix.multiply(&ctx.from_slice(&[rows, d_in], &x), Some(&bias), &mut y);
    for row in 0..rows {
        let x = &x[row * d_in..][..d_in];
        let x = if is_rounded { rounded(x) } else { in_codes(format, x) };
        for column in 0..d_out {
            let terms = x.iter().zip(&held[column * d_in..]).map(|(x, w)| f64::from(*x) * f64::from(*w));
            let exact = f64::from(bias[column]) + terms.sum::<f64>();
            let found = f64::from(y.data()[row * d_out + column]);
            assert!(
                (exact - found).abs() < 1e-5 * (d_in as f64).sqrt().max(1.0),
                "{format:?} {rows}x{d_in}x{d_out} at {row},{column}: {found} not {exact}"
            );
        }
    }
    y.data().to_vec()
}

#[test]
fn products_are_exact_over_tails() {
    for simd in Simd::supported() {
        let ctx = Context::with(1, simd);
        for format in FORMATS {
            for size in 1..=70 {
                check(&ctx, format, [1, size, 9]);
                check(&ctx, format, [2, 17, size]);
                check(&ctx, format, [size % 17 + 1, size, 33]);
            }
            check(&ctx, format, [3, 130, 300]);
            check(&ctx, format, [15, 600, 70]);
            check(&ctx, format, [50, 1000, 70]);
            check(&ctx, format, [200, 300, 20]);
        }
    }
}

#[test]
fn a_row_depends_on_no_other_and_threads_do_not_change_a_bit() {
    let (d_in, d_out) = (1300, 450);
    for simd in Simd::supported() {
        for format in FORMATS {
            let w = Param::from_f32(&[d_out, d_in], &numbers(d_in * d_out, 5));
            let matrix = Matrix::new(w, Layout::OutIn).pack(format, 2);
            let numbers = numbers(19 * d_in, 6);
            let product = |threads: usize, first: usize| {
                let ctx = Context::with(threads, simd);
                let x = ctx.from_slice(&[19 - first, d_in], &numbers[first * d_in..]);
                let mut y = ctx.tensor(&[19 - first, d_out]);
                matrix.multiply(&x, None, &mut y);
                y.data().to_vec()
            };
            let all = product(1, 0);
            for (threads, first) in [(2, 0), (3, 0), (2, 2), (1, 18), (2, 15), (3, 11), (2, 5)] {
                let (found, all) = (product(threads, first), &all[first * d_out..]);
                if simd.level() == Level::Amx && 19 - first < TILED {
                    let bound = if matches!(format, Format::Float(_)) { 1e-3 } else { 1.0 };
                    assert!(found.iter().zip(all).all(|(a, b)| (a - b).abs() < bound), "{format:?} {threads} {first}");
                } else {
                    assert_eq!(found, all, "{simd:?} {format:?} {threads} {first}");
                }
            }
        }
    }
}

#[test]
fn instruction_sets_agree_on_integers() {
    let [wide, narrow] = [[37, 352, 100], [3, 96, 300]];
    let coded = [Format::Q8, Format::Q6, Format::Q4, Format::Q4Zero];
    for (format, size) in coded.into_iter().flat_map(|format| [(format, wide), (format, narrow)]) {
        let of = |simd| (simd, check(&Context::with(1, simd), format, size));
        let levels = Simd::supported().into_iter().filter(|simd| simd.level() != Level::Amx || size[0] < TILED);
        let all: Vec<(Simd, Vec<f32>)> = levels.map(of).collect();
        for (simd, other) in &all {
            if *simd == Simd::PORTABLE {
                // Without fused multiply-adds, sums of groups round once more.
                assert!(other.iter().zip(&all[0].1).all(|(a, b)| (a - b).abs() < 1e-5), "{format:?}");
            } else {
                assert_eq!(other, &all[0].1, "{simd:?} {format:?}");
            }
        }
    }
}

/// The grid with a zero point whose scale is 1 and whose zero point 0: 21 - 15 - 6 is the exponent, 64 the zero point's place.
const ONE_FROM_ZERO: u16 = 21 << 11 | 64;

/// Rows of one code, the scale 1.
struct Same(Format, i8);

impl CodedRows for Same {
    fn row(&self, _: usize, out: &mut [f32]) {
        out.fill(f32::from(self.1));
    }

    fn format(&self) -> Option<Format> {
        Some(self.0)
    }

    fn group(&self, _: usize, _: usize, codes: &mut [i8; GROUP]) -> u16 {
        codes.fill(self.1);
        if self.0 == Format::Q4Zero { ONE_FROM_ZERO } else { f16::ONE.to_bits() }
    }
}

#[test]
fn sums_have_room_for_the_largest_products() {
    let (d_in, d_out) = (96, 70);
    for simd in Simd::supported() {
        let ctx = Context::with(1, simd);
        let wide = [(Format::Q8, -128), (Format::Q8, 127), (Format::Q6, -32), (Format::Q6, 31)];
        let narrow = [Format::Q4, Format::Q4Zero].into_iter().flat_map(|format| [(format, -8), (format, 7)]);
        for (format, code) in wide.into_iter().chain(narrow) {
            let matrix = Matrix::from_coded(&Coded::new(&[d_out, d_in], Arc::new(Same(format, code))), format, 2);
            for (rows, input) in [(1, 127.0), (1, -127.0), (13, 127.0), (13, -127.0)] {
                let mut y = ctx.tensor(&[rows, d_out]);
                matrix.multiply(&ctx.from_slice(&[rows, d_in], &vec![input; rows * d_in]), None, &mut y);
                let exact = d_in as f32 * f32::from(code) * input;
                assert!(y.data().iter().all(|y| *y == exact), "{simd:?} {format:?} {code} {rows} {input}");
            }
        }
    }
}

#[test]
fn formats_hold_numbers_as_near_as_they_promise() {
    let (d_in, d_out) = (128, 40);
    let w = numbers(d_in * d_out, 7);
    let stored = Matrix::new(Param::from_f32(&[d_out, d_in], &w), Layout::OutIn);
    let transposed: Vec<f32> = (0..d_in * d_out).map(|at| w[at % d_out * d_in + at / d_out]).collect();
    let turned = Matrix::new(Param::from_f32(&[d_in, d_out], &transposed), Layout::InOut);
    for (format, bound) in [
        (FORMATS[0], 0.0),
        (FORMATS[1], 1.0 / 256.0),
        (FORMATS[2], 1.0 / 2048.0),
        (Format::Q8, 0.6 / 127.0),
        (Format::Q6, 1.01 / 32.0),
        (Format::Q4, 1.01 / 8.0),
        (Format::Q4Zero, 1.01 / 8.0),
    ] {
        let held = stored.pack(format, 2).to_f32();
        let worst = held.iter().zip(&w).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(worst <= bound, "{format:?}: {worst}");
        assert_eq!(turned.pack(format, 2).to_f32(), held, "{format:?}");
    }
    let size = |format| stored.pack(format, 2).size();
    let panels = d_out.div_ceil(16) * 16 * d_in;
    assert_eq!(size(Format::Q8) * 16, panels * 17);
    assert_eq!(size(Format::Q6) * 16, panels * 13);
    assert_eq!(size(Format::Q4) * 16, panels * 9);
    assert_eq!(size(Format::Q4Zero), size(Format::Q4));
}

/// The square error of numbers in codes from `least` on, where each 32 have the scale at which the largest gets the last code.
fn error_without_a_search(w: &[f32], [least, most]: [f32; 2]) -> f64 {
    let group = |group: &[f32]| {
        let largest = group.iter().fold(0.0_f32, |m, x| if x.abs() > m.abs() { *x } else { m });
        let scale = f16::from_f32(largest / least).to_f32();
        let error = |x: &f32| f64::from((x / scale).round().clamp(least, most) * scale - x).powi(2);
        group.iter().map(error).sum::<f64>()
    };
    w.chunks(32).map(group).sum()
}

#[test]
fn a_search_for_scales_leaves_less_error() {
    let (d_in, d_out) = (1024, 256);
    // Sums of four are near the normal distribution.
    let w: Vec<f32> = numbers(4 * d_in * d_out, 11).chunks(4).map(|four| four.iter().sum()).collect();
    let stored = Matrix::new(Param::from_f32(&[d_out, d_in], &w), Layout::OutIn);
    let (eight, six, four) = ([-127.0, 127.0], [-32.0, 31.0], [-8.0, 7.0]);
    for (format, range, share) in [(Format::Q8, eight, 0.8), (Format::Q6, six, 0.95), (Format::Q4, four, 0.9)] {
        let held = stored.pack(format, 2).to_f32();
        let error: f64 = held.iter().zip(&w).map(|(x, y)| f64::from(x - y).powi(2)).sum();
        let plain = error_without_a_search(&w, range);
        assert!(error < share * plain, "{format:?}: {error} is {} of {plain}", error / plain);
    }
}

/// Of numbers in a format, the square error relative to that of another.
fn error_beside([format, other]: [Format; 2], w: &[f32], width: usize) -> f64 {
    let stored = Matrix::new(Param::from_f32(&[w.len() / width, width], w), Layout::OutIn);
    let error = |format| {
        let held = stored.pack(format, 2).to_f32();
        held.iter().zip(w).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>()
    };
    error(format) / error(other)
}

#[test]
fn a_zero_point_leaves_less_error() {
    let even = numbers(1 << 18, 12);
    let normal: Vec<f32> = numbers(1 << 20, 11).chunks(4).map(|four| four.iter().sum()).collect();
    let of_one_sign: Vec<f32> = even.iter().map(|x| 1.5 + x).collect();
    let small: Vec<f32> = normal.iter().map(|x| x * 1e-5).collect();
    for (what, w, share) in [("even", &even, 0.9), ("normal", &normal, 0.8), ("of one sign", &of_one_sign, 0.5)] {
        let found = error_beside([Format::Q4Zero, Format::Q4], w, 1024);
        assert!(found < share, "{what}: {found}");
    }
    assert!(error_beside([Format::Q4Zero, Format::Q4], &small, 1024) < 0.85, "scales of small numbers keep their bits");
}

#[test]
fn groups_without_a_spread_keep_their_numbers() {
    for number in [0.0, 0.3, -7.0, 1e-6, 9e3] {
        let w = Param::from_f32(&[1, 64], &[number; 64]);
        let held = Matrix::new(w, Layout::OutIn).pack(Format::Q4Zero, 2).to_f32();
        assert!(held.iter().all(|x| (x - number).abs() <= 0.05 * number.abs()), "{number}: {held:?}");
    }
}

#[test]
fn what_is_not_a_number_stays_so() {
    let ctx = Context::with(1, Simd::supported()[0]);
    let matrix = Matrix::new(Param::from_f32(&[3, 64], &numbers(192, 8)), Layout::OutIn);
    for format in FORMATS {
        let mut x = numbers(64, 9);
        x[40] = f32::NAN;
        let mut y = ctx.tensor(&[1, 3]);
        matrix.pack(format, 2).multiply(&ctx.from_slice(&[1, 64], &x), None, &mut y);
        assert!(y.data().iter().all(|y| y.is_nan()), "{format:?}");
    }
}

#[test]
fn operands_are_rounded_where_that_is_asked_for_and_there_are_many_rows() {
    let ctx = Context::open(Some(2), Precision::Bf16).unwrap();
    for format in FORMATS {
        for rows in [1, TILED, 37] {
            check(&ctx, format, [rows, 200, 70]);
        }
    }
}

#[test]
fn packed_products_add_to_a_residual_and_share_their_input() {
    let (d_in, d_out) = (600, 330);
    for simd in Simd::supported() {
        let ctx = Context::with(2, simd);
        let stored = Matrix::new(Param::from_f32(&[d_out, d_in], &numbers(d_in * d_out, 5)), Layout::OutIn);
        let float = Format::Float(DType::F32);
        let matrices = [float, Format::Q8, Format::Q4, Format::Q8].map(|format| stored.pack(format, 2));
        for rows in [1, 5, 17] {
            let x = ctx.from_slice(&[rows, d_in], &numbers(rows * d_in, 6));
            let (bias, start) = (numbers(d_out, 8), numbers(rows * d_out, 9));
            let mut outputs: Vec<_> = matrices.iter().map(|_| ctx.tensor(&[rows, d_out])).collect();
            let all: Vec<_> = matrices.iter().map(|matrix| (matrix, Some(&bias[..]))).collect();
            Matrix::multiply_all(&x, &all, &mut outputs.iter_mut().collect::<Vec<_>>());
            for (matrix, found) in matrices.iter().zip(&outputs) {
                let mut alone = ctx.tensor(&[rows, d_out]);
                matrix.multiply(&x, Some(&bias), &mut alone);
                assert_eq!(alone.data(), found.data());
                let onto = ctx.from_slice(&[rows, d_out], &start);
                let mut sum = ctx.tensor(&[rows, d_out]);
                matrix.multiply_onto(&x, Some(&bias), &onto, &mut sum);
                assert_eq!(sum.data(), (onto + alone).data(), "{simd:?} {rows}");
            }
        }
    }
}

#[test]
fn gated_products_are_those_of_two() {
    let (d_in, d_out) = (600, 330);
    let gate = |gates: &mut [f32], values: &[f32]| gates.iter_mut().zip(values).for_each(|(g, v)| *g = g.max(0.1) * v);
    for (simd, threads) in Simd::supported().into_iter().flat_map(|simd| [(simd, 1), (simd, 2)]) {
        let ctx = Context::with(threads, simd);
        let [gates, ups] = [5, 7]
            .map(|seed| Matrix::new(Param::from_f32(&[d_out, d_in], &numbers(d_in * d_out, seed)), Layout::OutIn));
        let mut pairs = vec![[gates.clone(), ups.clone()], [gates.pack(Format::Q8, 2), ups.clone()]];
        pairs.extend(FORMATS.map(|format| [gates.pack(format, 2), ups.pack(format, 2)]));
        pairs.push([gates.pack(Format::Q4, 2), ups.pack(Format::Float(DType::Bf16), 2)]);
        for (pair, rows) in pairs.iter().flat_map(|pair| [1, 3, 17, 37].map(|rows| (pair, rows))) {
            let x = ctx.from_slice(&[rows, d_in], &numbers(rows * d_in, 6));
            let bias = numbers(d_out, 8);
            let affine = [(&pair[0], Some(&bias[..])), (&pair[1], None)];
            let [mut expected, mut values, mut found] = [(); 3].map(|()| ctx.tensor(&[rows, d_out]));
            Matrix::multiply_all(&x, &affine, &mut [&mut expected, &mut values]);
            gate(expected.data_mut(), values.data());
            Matrix::multiply_gated(&x, affine, &gate, &mut found);
            assert_eq!(found.data(), expected.data(), "{simd:?} {:?} {rows}", pair.each_ref().map(Matrix::format));
        }
    }
}
