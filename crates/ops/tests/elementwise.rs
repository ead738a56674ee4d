//! Clamping, xIELU, growing queries and per-head norms against f64 twins, at every SIMD level and number of threads.

use formwork_ops::clamp::clamp;
use formwork_ops::layer_norm::{LayerNorm, layer_normalize};
use formwork_ops::rms_norm::rms_normalize;
use formwork_ops::temperature::{Temperature, TemperatureConfig};
use formwork_ops::xielu::Xielu;
use formwork_tensor::{Context, Ids, Simd, Tokens};

fn numbers(count: usize, scale: f32) -> Vec<f32> {
    (0..count).map(|i| ((i * 37 % 101) as f32 / 50.0 - 1.0) * scale).collect()
}

fn contexts() -> impl Iterator<Item = Context> {
    let levels = Simd::supported().into_iter();
    levels.flat_map(|simd| [1, 3].map(|threads| Context::with(threads, simd)))
}

fn close(found: &[f32], exact: &[f64], what: &str) {
    assert_eq!(found.len(), exact.len(), "{what}");
    for (x, y) in found.iter().zip(exact) {
        let error = (f64::from(*x) - y).abs();
        assert!(error < 2e-6 * y.abs().max(1.0), "{what}: {x} not {y}");
    }
}

#[test]
fn clamps_on_both_sides_or_one() {
    for ctx in contexts() {
        let x = ctx.from_slice(&[5], &[-3.0, -0.5, 0.0, 0.5, f32::NAN]);
        let y = clamp(x.clone(), -1.0, 0.25);
        assert_eq!(y.data()[..4], [-1.0, -0.5, 0.0, 0.25]);
        assert!(y.data()[4].is_nan(), "not a number stays so");
        let y = clamp(x, f32::NEG_INFINITY, 0.25);
        assert_eq!(y.data()[..4], [-3.0, -0.5, 0.0, 0.25]);
    }
}

#[test]
fn xielu_follows_its_formula_on_both_sides() {
    let softplus = |x: f64| x.exp().ln_1p();
    for ctx in contexts() {
        for (alpha_p, alpha_n) in [(0.3_f32, -0.8_f32), (-2.0, 1.5)] {
            let (right, left) = (softplus(f64::from(alpha_p)), 0.5 + softplus(f64::from(alpha_n)));
            for scale in [1e-7, 1e-3, 0.4, 1.0, 20.0] {
                let data = numbers(203, scale);
                let exact: Vec<f64> = data
                    .iter()
                    .map(|x| f64::from(*x))
                    .map(|x| match x > 0.0 {
                        true => right * x * x + 0.5 * x,
                        false => left * (x.min(-1e-6).exp_m1() - x) + 0.5 * x,
                    })
                    .collect();
                let x = ctx.from_slice(&[7, 29], &data);
                let y = Xielu::new(alpha_p, alpha_n, 0.5, -1e-6).forward(&ctx, &x);
                close(y.data(), &exact, "xielu");
            }
        }
    }
}

#[test]
fn queries_grow_in_steps_of_their_position() {
    let config = TemperatureConfig { scale: 0.25, every: 3, offset: 1 };
    for ctx in contexts() {
        let (b, s, heads, d) = (2, 8, 3, 5);
        let data = numbers(b * s * heads * d, 1.0);
        let x = ctx.from_slice(&[b, s, heads, d], &data);
        let tokens = Tokens::new(Ids::zeros(b, s), 4, None).expect("tokens");
        let y = Temperature::new(config).apply(&ctx, x, &tokens);
        let exact: Vec<f64> = data
            .iter()
            .enumerate()
            .map(|(at, x)| {
                let position = 4 + at / (heads * d) % s;
                let steps = ((position + 1) / 3) as f64;
                f64::from(*x) * (1.0 + 0.25 * (1.0 + steps).ln())
            })
            .collect();
        close(y.data(), &exact, "temperature");
    }
}

#[test]
fn norms_with_weights_for_each_head_and_offset_weights() {
    let (rows, heads, d) = (7, 3, 10);
    let data = numbers(rows * heads * d, 2.0);
    let weight = numbers(heads * d, 1.5);
    let bias = numbers(d, 0.5);
    let standard = |at: usize| {
        let row = &data[at / d * d..][..d];
        let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / d as f64;
        let squares = row.iter().map(|x| (f64::from(*x) - mean).powi(2));
        (f64::from(data[at]) - mean) / (squares.sum::<f64>() / d as f64 + 1e-2).sqrt()
    };
    let exact = |f: &dyn Fn(usize) -> f64| (0..data.len()).map(f).collect::<Vec<f64>>();
    for ctx in contexts() {
        let x = ctx.from_slice(&[rows, heads, d], &data);
        let y = LayerNorm::new(weight.clone(), None, 1e-2).forward(&ctx, &x);
        let per_head = |at: usize| standard(at) * f64::from(weight[at % (heads * d)]);
        close(y.data(), &exact(&per_head), "per head");
        let y = LayerNorm::plus_one(weight[..d].to_vec(), Some(bias.clone()), 1e-2);
        let offset = |at: usize| standard(at) * (1.0 + f64::from(weight[at % d])) + f64::from(bias[at % d]);
        close(y.forward(&ctx, &x).data(), &exact(&offset), "plus one");
        let y = layer_normalize(&ctx, &x, 1e-2);
        close(y.data(), &exact(&standard), "layer_normalize");
        let rms = |at: usize| {
            let row = &data[at / d * d..][..d];
            let squares = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
            f64::from(data[at]) / (squares / d as f64 + 1e-2).sqrt()
        };
        close(rms_normalize(&ctx, &x, 1e-2).data(), &exact(&rms), "rms_normalize");
    }
}
