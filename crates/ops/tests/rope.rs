//! Rotary embeddings against formulas written out in f64, at every SIMD level and number of threads.

mod support;

use formwork_ops::rope::{Rope, RopeConfig, RopeLayout, RopeScaling};
use formwork_tensor::{Context, Ids, Tokens};
use support::contexts;

const PLAIN: RopeConfig =
    RopeConfig { d_rot: 8, trailing: false, theta: 100.0, layout: RopeLayout::HalfSplit, scaling: RopeScaling::None };

/// The sine and cosine of pair `i` at position `p`, read off a vector of ones.
fn sin_cos(ctx: &Context, config: RopeConfig, [len, p, i]: [usize; 3]) -> (f64, f64) {
    let half = config.d_rot / 2;
    let mut one = vec![0.0; config.d_rot];
    // What is read off may stand elsewhere than what was put in.
    let (put, (real, imaginary)) = match config.layout {
        RopeLayout::PairsToHalves => (2 * i, (i, i + half)),
        RopeLayout::HalfSplit => (i, (i, i + half)),
        RopeLayout::Interleaved => (2 * i, (2 * i, 2 * i + 1)),
        RopeLayout::HalfSwapped => (i + half, (i + half, i)),
    };
    one[put] = 1.0;
    let x = ctx.from_slice(&[1, len, 1, config.d_rot], &one.repeat(len));
    let tokens = Tokens::new(Ids::zeros(1, len), 0, None).unwrap();
    let y = Rope::new(config).apply(ctx, x, &tokens);
    let row = &y.data()[p * config.d_rot..];
    (f64::from(row[imaginary]), f64::from(row[real]))
}

/// Pair `i` at position `p` of `len` turns by the angle `exact`.
fn turns(config: RopeConfig, place: [usize; 3], exact: f64) {
    let exact = exact.rem_euclid(2.0 * std::f64::consts::PI);
    for ctx in contexts() {
        let (sin, cos) = sin_cos(&ctx, config, place);
        let found = sin.atan2(cos).rem_euclid(2.0 * std::f64::consts::PI);
        assert!((found - exact).abs() < 2e-6, "{found} not {exact}");
    }
}

fn frequency(theta: f64, i: usize) -> f64 {
    theta.powf(-(i as f64) / 4.0)
}

#[test]
fn plain_and_linear_angles() {
    for layout in [RopeLayout::HalfSplit, RopeLayout::Interleaved, RopeLayout::HalfSwapped, RopeLayout::PairsToHalves] {
        for i in 0..4 {
            turns(RopeConfig { layout, ..PLAIN }, [6, 5, i], 5.0 * frequency(100.0, i));
            let scaling = RopeScaling::Linear { factor: 4.0 };
            turns(RopeConfig { layout, scaling, ..PLAIN }, [6, 5, i], 1.25 * frequency(100.0, i));
        }
    }
}

#[test]
fn the_dynamic_base_grows_with_the_sequence() {
    let scaling = RopeScaling::DynamicNtk { factor: 2.0, original_max: 6 };
    let config = RopeConfig { scaling, ..PLAIN };
    for i in 0..4 {
        turns(config, [6, 5, i], 5.0 * frequency(100.0, i));
        let theta = 100.0 * (2.0 * 12.0 / 6.0 - 1.0_f64).powf(8.0 / 6.0);
        turns(config, [12, 5, i], 5.0 * frequency(theta, i));
    }
}

#[test]
fn low_frequencies_are_divided() {
    let scaling = RopeScaling::Llama3 { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max: 64 };
    for i in 0..4 {
        let f = frequency(100.0, i);
        let wavelength = 2.0 * std::f64::consts::PI / f;
        let exact = if wavelength > 64.0 {
            f / 8.0
        } else if wavelength < 16.0 {
            f
        } else {
            let smooth = (64.0 / wavelength - 1.0) / 3.0;
            (1.0 - smooth) * f / 8.0 + smooth * f
        };
        turns(RopeConfig { scaling, ..PLAIN }, [6, 5, i], 5.0 * exact);
    }
}

#[test]
fn yarn_blends_over_a_ramp() {
    let scaling = RopeScaling::Yarn {
        factor: 4.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        original_max: 64,
        attention_factor: 1.25,
        truncate: true,
    };
    let config = RopeConfig { scaling, ..PLAIN };
    // Dimensions at 32 rotations and at 1: floor(-0.99) -> 0, ceil(2.02) -> 3.
    for (i, kept) in [1.0, 2.0 / 3.0, 1.0 / 3.0, 0.0].into_iter().enumerate() {
        let f = frequency(100.0, i);
        turns(config, [6, 5, i], 5.0 * (f / 4.0 * (1.0 - kept) + f * kept));
        for ctx in contexts() {
            let (sin, cos) = sin_cos(&ctx, config, [6, 5, i]);
            assert!((sin.hypot(cos) - 1.25).abs() < 1e-6);
        }
    }
}

#[test]
fn long_sequences_take_their_own_divisors() {
    let scaling = RopeScaling::LongRope {
        short: &[1.0, 1.5, 2.0, 3.0],
        long: &[2.0, 3.0, 5.0, 7.0],
        original_max: 6,
        attention_factor: 1.0,
    };
    for i in 0..4 {
        let config = RopeConfig { scaling, ..PLAIN };
        turns(config, [6, 5, i], 5.0 * frequency(100.0, i) / [1.0, 1.5, 2.0, 3.0][i]);
        turns(config, [7, 5, i], 5.0 * frequency(100.0, i) / [2.0, 3.0, 5.0, 7.0][i]);
    }
}

#[test]
fn other_channels_pass_and_padding_shifts_positions() {
    let data: Vec<f32> = (0..2 * 3 * 2 * 11).map(|x| x as f32).collect();
    let heads = |row: usize| &data[row * 22..][..22];
    let tokens = Tokens::new(Ids::zeros(2, 3), 0, Some(vec![false, true, true, true, true, true])).unwrap();
    for ctx in contexts() {
        let y = Rope::new(PLAIN).apply(&ctx, ctx.from_slice(&[2, 3, 2, 11], &data), &tokens);
        for (x, y) in data.chunks(11).zip(y.data().chunks(11)) {
            assert_eq!(x[8..], y[8..]);
        }
        assert_eq!(&y.data()[22..44], heads(1), "the first valid token stands at position 0");
        assert_ne!(&y.data()[88..110], heads(4), "the second token of the other row turns");
    }
}
