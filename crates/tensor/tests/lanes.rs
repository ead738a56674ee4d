//! Scalar functions against f64, conversions against `half`, and tensor operators.

use formwork_tensor::lanes::{Element, erf, exp, exp2, sigmoid, tanh};
use formwork_tensor::{Context, Simd};

/// `erf` by its series; exact enough for |x| < 5.
fn exact_erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

fn close(name: &str, x: f32, found: f32, exact: f64, relative: bool) {
    let scale = if relative { exact.abs() } else { 1.0 };
    let error = (f64::from(found) - exact).abs();
    assert!(error <= 1e-6 * scale + 1e-38, "{name}({x}) = {found}, not {exact}");
}

#[test]
fn functions_are_accurate() {
    for step in -45_000..45_000 {
        let x = step as f32 * 0.001_01;
        let wide = f64::from(x);
        close("exp", x, exp::<true>(x), wide.exp(), true);
        close("exp", x, exp::<false>(x), wide.exp(), true);
        close("exp2", 2.8 * x, exp2::<true>(2.8 * x), f64::from(2.8 * x).exp2(), true);
        close("exp2", 2.8 * x, exp2::<false>(2.8 * x), f64::from(2.8 * x).exp2(), true);
        close("tanh", x, tanh::<true>(x), wide.tanh(), false);
        close("sigmoid", x, sigmoid::<false>(x), 1.0 / (1.0 + (-wide).exp()), false);
        if x.abs() < 4.5 {
            close("erf", x, erf::<true>(x), exact_erf(wide), false);
        }
    }
}

#[test]
fn extremes_stay_in_range() {
    assert_eq!((exp::<true>(-200.0), exp::<true>(f32::NEG_INFINITY)), (0.0, 0.0));
    assert!(exp::<true>(1000.0).is_finite() && exp::<true>(f32::NAN).is_nan());
    assert_eq!((exp2::<true>(-200.0), exp2::<true>(f32::NEG_INFINITY)), (0.0, 0.0));
    assert!(exp2::<true>(f32::NAN).is_nan() && exp2::<true>(f32::from_bits(0x7f80_0001)).is_nan());
    assert_eq!(
        (exp2::<true>(0.0), exp2::<false>(126.0), exp2::<true>(-126.0)),
        (1.0, 2.0_f32.powi(126), f32::MIN_POSITIVE)
    );
    assert_eq!((tanh::<true>(50.0), tanh::<true>(-50.0)), (1.0, -1.0));
    assert!(tanh::<true>(f32::NAN).is_nan() && erf::<true>(f32::NAN).is_nan());
    assert!((erf::<true>(9.0) - 1.0).abs() < 1e-6);
}

#[test]
fn all_halves_widen_exactly() {
    for bits in 0..=u16::MAX {
        let (ours, theirs) = (half::f16::from_bits(bits).widen(), half::f16::from_bits(bits).to_f32());
        assert!(ours == theirs || ours.is_nan() && theirs.is_nan(), "f16 {bits:#06x}");
        let (ours, theirs) = (half::bf16::from_bits(bits).widen(), half::bf16::from_bits(bits).to_f32());
        assert!(ours == theirs || ours.is_nan() && theirs.is_nan(), "bf16 {bits:#06x}");
    }
}

#[test]
fn operators_broadcast_and_reuse() {
    let ctx = Context::with(2, Simd::PORTABLE);
    let a = ctx.from_slice(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let b = ctx.from_slice(&[2, 2], &[5.0, 6.0, 7.0, 8.0]);
    let row = ctx.from_slice(&[2], &[10.0, 20.0]);
    assert_eq!((&a + &b).data(), [6.0, 8.0, 10.0, 12.0]);
    assert_eq!((&a - b.clone()).data(), [-4.0; 4]);
    assert_eq!((a.clone() * &row).data(), [10.0, 40.0, 30.0, 80.0]);
    assert_eq!((&a - row.clone()).data(), [-9.0, -18.0, -7.0, -16.0]);
    assert_eq!((&a * 2.0 + 1.0).data(), [3.0, 5.0, 7.0, 9.0]);
    let before = ctx.allocations();
    let sum = a + b;
    assert_eq!(ctx.allocations(), before, "an owned operand holds the sum");
    assert_eq!(sum.data(), [6.0, 8.0, 10.0, 12.0]);
}

#[test]
fn axes_split_and_join() {
    let ctx = Context::with(1, Simd::PORTABLE);
    let data: Vec<f32> = (0..24).map(|x| x as f32).collect();
    let x = ctx.from_slice(&[2, 2, 6], &data);
    assert_eq!(x.rows(1..2).data(), &data[12..]);
    let [a, b] = x.clone().split([2, 4]);
    assert_eq!((a.shape(), &a.data()[..4]), (&[2, 2, 2][..], &[0.0, 1.0, 6.0, 7.0][..]));
    assert_eq!(formwork_tensor::Tensor::concat(&[&a, &b]).data(), x.data());
    let heads = x.split_heads(3);
    assert_eq!(heads.shape(), [2, 2, 3, 2]);
    assert_eq!(heads.merge_heads().shape(), [2, 2, 6]);
}
