//! Norms and activations against f64 twins, at every width from 1 to 70 and SIMD level.

use formwork_ops::activation as act;
use formwork_ops::activation as gated;
use formwork_ops::activation::softcap;
use formwork_ops::batch_norm::BatchNorm;
use formwork_ops::layer_norm::LayerNorm;
use formwork_ops::rms_norm::RmsNorm;
use formwork_tensor::{Context, Simd, Tensor};

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 * 3.0 - 3.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn contexts() -> Vec<Context> {
    Simd::supported().into_iter().map(|simd| Context::with(1, simd)).collect()
}

fn close(found: &[f32], exact: impl Iterator<Item = f64>, what: &str) {
    let mut count = 0;
    for (x, y) in found.iter().zip(exact) {
        assert!((f64::from(*x) - y).abs() < 1e-5 * y.abs().max(1.0), "{what}: {x} not {y}");
        count += 1;
    }
    assert_eq!(count, found.len(), "{what}");
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|x| f64::from(*x)).collect()
}

/// `f(row, column)` for all rows of `x`.
fn by_row(x: &[f32], d: usize, f: impl Fn(&[f64], usize) -> f64) -> Vec<f64> {
    let rows = x.chunks_exact(d).map(wide);
    rows.flat_map(|row| (0..d).map(|i| f(&row, i)).collect::<Vec<_>>()).collect()
}

#[test]
fn norms_over_all_widths() {
    for ctx in contexts() {
        for d in 1..=70 {
            let (data, w, b) = (numbers(3 * d, 1), numbers(d, 2), numbers(d, 3));
            let x = ctx.from_slice(&[3, d], &data);
            let rms = |row: &[f64]| (row.iter().map(|x| x * x).sum::<f64>() / d as f64 + 1e-3).sqrt();
            let exact = by_row(&data, d, |row, i| row[i] / rms(row) * f64::from(w[i]));
            close(RmsNorm::new(w.clone(), 1e-3).forward(&ctx, &x).data(), exact.into_iter(), "rms");
            let exact = by_row(&data, d, |row, i| row[i] / rms(row) * (1.0 + f64::from(w[i])));
            close(RmsNorm::plus_one(w.clone(), 1e-3).forward(&ctx, &x).data(), exact.into_iter(), "rms+1");
            let exact = by_row(&data, d, |row, i| row[i] / rms(row));
            close(RmsNorm::unweighted(1e-3).forward(&ctx, &x).data(), exact.into_iter(), "plain rms");
            let standard = |row: &[f64], i: usize| {
                let mean = row.iter().sum::<f64>() / d as f64;
                let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / d as f64;
                (row[i] - mean) / (variance + 1e-2).sqrt()
            };
            let exact = by_row(&data, d, |row, i| standard(row, i) * f64::from(w[i]) + f64::from(b[i]));
            let norm = LayerNorm::new(w.clone(), Some(b.clone()), 1e-2);
            close(norm.forward(&ctx, &x).data(), exact.into_iter(), "layer");
            let exact = by_row(&data, d, standard);
            close(LayerNorm::unweighted(1e-2).forward(&ctx, &x).data(), exact.into_iter(), "plain layer");
        }
    }
}

#[test]
fn batch_norm_uses_running_statistics() {
    let ctx = Context::with(1, Simd::PORTABLE);
    let x = ctx.from_slice(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let norm = BatchNorm::new(&[1.0, 0.0], &[4.0, 1.0], &[2.0, 1.0], &[0.5, -1.0], 0.0);
    assert_eq!(norm.forward(&ctx, &x).data(), [0.5, 1.0, 2.5, 3.0]);
}

#[test]
fn activations_over_all_lengths() {
    let erf = |x: f64| {
        let (mut term, mut sum) = (x, x);
        for n in 1..100 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    };
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    let gelu = |x: f64| 0.5 * x * (1.0 + erf(x / 2f64.sqrt()));
    let gelu_tanh =
        |x: f64| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh());
    type Gate = (fn(Tensor, Tensor) -> Tensor, Vec<f64>);
    type Pair<'a> = (&'a str, fn(Tensor) -> Tensor, &'a dyn Fn(f64) -> f64);
    let pairs: [Pair; 8] = [
        ("relu", act::relu, &|x| x.max(0.0)),
        ("relu2", act::relu2, &|x| x.max(0.0).powi(2)),
        ("gelu", act::gelu, &gelu),
        ("gelu_tanh", act::gelu_tanh, &gelu_tanh),
        ("gelu_quick", act::gelu_quick, &|x| x * logistic(1.702 * x)),
        ("silu", act::silu, &|x| x * logistic(x)),
        ("sigmoid", act::sigmoid, &logistic),
        ("tanh", act::tanh, &f64::tanh),
    ];
    for ctx in contexts() {
        for len in 1..=70 {
            let (data, up) = (numbers(len, 4), numbers(len, 5));
            let tensor = |data: &[f32]| ctx.from_slice(&[len], data);
            for (name, found, exact) in &pairs {
                close(found(tensor(&data)).data(), wide(&data).into_iter().map(exact), name);
            }
            let capped = softcap(tensor(&data), 2.0);
            close(capped.data(), wide(&data).into_iter().map(|x| 2.0 * (x / 2.0).tanh()), "softcap");
            let product = |f: &dyn Fn(f64) -> f64| -> Vec<f64> {
                wide(&data).iter().zip(wide(&up)).map(|(x, y)| f(*x) * y).collect()
            };
            let gates: [Gate; 5] = [
                (gated::gated_silu, product(&|x| x * logistic(x))),
                (gated::gated_gelu, product(&gelu)),
                (gated::gated_gelu_tanh, product(&gelu_tanh)),
                (gated::gated_relu, product(&|x| x.max(0.0))),
                (gated::gated_sigmoid, product(&logistic)),
            ];
            for (found, exact) in gates {
                close(found(tensor(&data), tensor(&up)).data(), exact.into_iter(), "gate");
            }
        }
    }
}
