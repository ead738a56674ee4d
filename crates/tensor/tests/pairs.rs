//! Products of codes with rounded inputs: exact at every SIMD level, for any width and number of rows.

use formwork_tensor::pairs::{GROUP, LANES, Panel, Rounded, SLOTS, Scores, Sums, round_products};
use formwork_tensor::{Simd, f16};

/// Whole numbers from a seed.
fn draws(count: usize, seed: usize) -> Vec<i32> {
    let mut state = (seed as u32).wrapping_mul(0x9e37_79b9) | 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as i32 >> 8
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Queries that rounding leaves as they are: whole numbers, the largest of each group 32767.
fn queries(rows: usize, width: usize, seed: usize) -> Vec<Vec<f32>> {
    let whole = |row: usize| draws(width, seed + row).into_iter().enumerate();
    let number =
        |(at, draw): (usize, i32)| if at % GROUP == 0 { -32767.0 } else { f32::from(draw as i16).max(-32767.0) };
    (0..rows).map(|row| whole(row).map(number).collect()).collect()
}

/// Keys `[panels, 16, width]`, and a scale for each group, which multiplies without rounding.
struct Keys {
    codes: Vec<i8>,
    scales: Vec<f16>,
    width: usize,
}

impl Keys {
    fn new(panels: usize, width: usize, seed: usize) -> Self {
        let codes = draws(panels * LANES * width, seed).into_iter().map(|draw| draw as i8).collect();
        let scales = draws(panels * LANES * width.div_ceil(GROUP), seed + 1);
        Self { codes, scales: scales.into_iter().map(|draw| f16::from_f32(0.5_f32.powi(draw & 7))).collect(), width }
    }

    /// The codes of a panel in its layout, and its scales.
    fn panel(&self, panel: usize) -> (Vec<i8>, Vec<f16>) {
        let (width, groups) = (self.width, self.width.div_ceil(GROUP));
        let code = |lane: usize, at: usize| self.codes[(panel * LANES + lane) * width + at];
        let pairs = (0..width / 2 * LANES).flat_map(|at| [0, 1].map(|one| code(at % LANES, at / LANES * 2 + one)));
        let single = (0..width % 2 * LANES).map(|lane| code(lane, width - 1));
        let scales = (0..groups * LANES).map(|at| self.scales[(panel * LANES + at % LANES) * groups + at / LANES]);
        (pairs.chain(single).collect(), scales.collect())
    }

    fn score(&self, query: &[f32], key: usize) -> f32 {
        let codes = &self.codes[key * self.width..][..self.width];
        let groups = query.chunks(GROUP).zip(codes.chunks(GROUP));
        let scales = &self.scales[key * self.width.div_ceil(GROUP)..];
        groups.zip(scales).fold(0.0, |sum, ((query, codes), scale)| {
            let whole: i64 = query.iter().zip(codes).map(|(q, code)| *q as i64 * i64::from(*code)).sum();
            sum + whole as f32 * scale.to_f32()
        })
    }
}

#[test]
fn scores_are_sums_of_whole_numbers() {
    for (seed, width) in [1, 2, 9, 31, 32, 33, 63, 64, 80, 97].into_iter().enumerate() {
        for rows in [1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 27] {
            let count = 1 + (seed + rows) % 5;
            let (queries, keys) = (queries(rows, width, seed), Keys::new(count, width, seed));
            let rounded = Rounded::new(queries.iter().map(|query| &query[..]), width);
            let kept: Vec<_> = (0..count).map(|panel| keys.panel(panel)).collect();
            let panels: Vec<_> = kept.iter().map(|(codes, scales)| Panel { codes, scales }).collect();
            let stride = count * LANES + seed;
            for simd in Simd::supported() {
                let mut scores = vec![7.0; rows * stride];
                Scores { queries: &rounded, panels: &panels, scores: &mut scores, stride }.run(simd);
                for (at, score) in scores.into_iter().enumerate() {
                    let (row, key) = (at / stride, at % stride);
                    let expected = if key < count * LANES { keys.score(&queries[row], key) } else { 7.0 };
                    assert_eq!(score, expected, "{simd:?}: {rows} queries of width {width}, {row} and key {key}");
                }
            }
        }
    }
}

#[test]
fn a_query_that_is_not_finite_has_scores_that_are_not() {
    let keys = Keys::new(1, 40, 1).panel(0);
    let panels = [Panel { codes: &keys.0, scales: &keys.1 }];
    for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut queries = queries(2, 40, 3);
        queries[1][35] = bad;
        let rounded = Rounded::new(queries.iter().map(|query| &query[..]), 40);
        for simd in Simd::supported() {
            let mut scores = vec![0.0; 2 * LANES];
            Scores { queries: &rounded, panels: &panels, scores: &mut scores, stride: LANES }.run(simd);
            assert!(scores[..LANES].iter().all(|x| x.is_finite()) && scores[LANES..].iter().all(|x| x.is_nan()));
        }
    }
}

#[test]
fn sums_over_slots_are_whole_numbers_of_steps() {
    for (seed, width) in [1, 5, 16, 21, 31, 32, 40, 64, 75].into_iter().enumerate() {
        for rows in 1..=8 {
            let (first, slots) = ([0, 2, 30][seed % 3], [2, 14, 64, 226][(seed + rows) % 4]);
            let mut codes: Vec<i8> = draws(slots * width, seed).into_iter().map(|draw| draw as i8).collect();
            let mut factors = vec![[0; SLOTS]; rows];
            for (row, factors) in factors.iter_mut().enumerate() {
                factors.iter_mut().zip(draws(SLOTS, seed + row)).for_each(|(to, draw)| *to = draw as i16);
            }
            if rows == 3 {
                codes.fill(i8::MIN);
                factors[0] = [i16::MIN; SLOTS];
            }
            let steps: Vec<f32> = (0..rows).map(|row| 0.5_f32.powi(row as i32)).collect();
            let pieces = codes.split_at(rows % (slots / 2 + 1) * 2 * width);
            for (simd, start) in
                Simd::supported().into_iter().flat_map(|simd| (0..width).step_by(GROUP).map(move |start| (simd, start)))
            {
                let channels = start..(start + GROUP).min(width);
                let stride = channels.len() + seed;
                let mut sums = vec![7.0; rows * stride];
                let (factors, steps) = (&factors[..], &steps[..]);
                let of = Sums {
                    factors,
                    steps,
                    first,
                    codes: [pieces.0, pieces.1],
                    width,
                    channels: channels.clone(),
                    sums: &mut sums,
                    stride,
                };
                of.run(simd);
                for (at, sum) in sums.into_iter().enumerate() {
                    let (row, channel) = (at / stride, start + at % stride);
                    let code = |slot: usize| i64::from(codes[(slot / 2 * width + channel) * 2 + slot % 2]);
                    let products = (0..slots).map(|slot| code(slot) * i64::from(factors[row][first + slot]));
                    let expected =
                        if channels.contains(&channel) { products.sum::<i64>() as f32 * steps[row] } else { 7.0 };
                    assert_eq!(sum, expected, "{simd:?}: {rows} rows, width {width}, row {row} and channel {channel}");
                }
            }
        }
    }
}

#[test]
fn products_are_rounded_to_the_nearest_step() {
    let numbers = |seed| draws(64, seed).into_iter().map(|draw| (draw & 0xffff) as f32 / 65536.0).collect::<Vec<_>>();
    let (weights, scales) = (numbers(1), numbers(2));
    let mut out = [0; 64];
    for step in
        [round_products::<false>(&weights, &scales, &mut out), round_products::<true>(&weights, &scales, &mut out)]
    {
        assert!(out.contains(&32767) && out.iter().all(|x| *x >= 0));
        for ((weight, scale), out) in weights.iter().zip(&scales).zip(out) {
            assert!((weight * scale - step * f32::from(out)).abs() <= 0.5001 * step);
        }
    }
    for tiny in [0.0, 1e-40] {
        assert_eq!((round_products::<true>(&[tiny; 64], &scales, &mut out), out), (0.0, [0; 64]));
    }
    for bad in [f32::NAN, -f32::NAN, f32::INFINITY] {
        let some = [&scales[..63], &[bad]].concat();
        assert!(round_products::<true>(&weights, &some, &mut out).is_nan());
    }
}
