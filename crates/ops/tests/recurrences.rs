//! Linear attention, the gated delta rule and short convolutions: chunks against the token-by-token definition in f64, pieces
//! against one pass, padding against none.

mod support;

use formwork_ops::gated_delta::{LogDecay, gated_delta};
use formwork_ops::linear_attention::{FeatureMap, linear_attention, linear_attention_full};
use formwork_ops::recurrent::RecurrentState;
use formwork_ops::short_conv::ShortConv;
use formwork_tensor::{Context, Tensor};
use support::{close, close_f64, contexts, in_pieces, numbers, piece, tensor, tokens};

const B: usize = 2;
const H: usize = 4;
const K: usize = 2;
const E: usize = 5;
const D: usize = 7;
/// More than two chunks.
const S: usize = 150;

fn features(map: FeatureMap, x: &[f32]) -> Vec<f64> {
    let x = x.iter().map(|x| f64::from(*x));
    match map {
        FeatureMap::EluPlusOne => x.map(|x| if x > 0.0 { x + 1.0 } else { x.exp() }).collect(),
        FeatureMap::Softmax => {
            let e: Vec<f64> = x.map(f64::exp).collect();
            let sum: f64 = e.iter().sum();
            e.into_iter().map(|e| e / sum).collect()
        }
    }
}

/// `Σ φ(q)·φ(k) v / Σ φ(q)·φ(k)` over visible keys.
fn linear_twin(map: FeatureMap, [q, k, v]: [&Tensor; 3], causal: bool) -> Vec<f64> {
    let mut out = Vec::new();
    for (b, i, h) in (0..B).flat_map(|b| (0..S).flat_map(move |i| (0..H).map(move |h| (b, i, h)))) {
        let query = features(map, &q.data()[((b * S + i) * H + h) * E..][..E]);
        let (mut sum, mut norm) = (vec![0.0; D], 0.0);
        for j in 0..if causal { i + 1 } else { S } {
            let row = (b * S + j) * K + h / (H / K);
            let key = features(map, &k.data()[row * E..][..E]);
            let weight: f64 = query.iter().zip(&key).map(|(a, b)| a * b).sum();
            norm += weight;
            sum.iter_mut().zip(&v.data()[row * D..][..D]).for_each(|(s, v)| *s += weight * f64::from(*v));
        }
        out.extend(sum.iter().map(|s| s / norm));
    }
    out
}

fn linear_operands(ctx: &Context) -> [Tensor; 3] {
    [tensor(ctx, &[B, S, H, E], 1), tensor(ctx, &[B, S, K, E], 2), tensor(ctx, &[B, S, K, D], 3)]
}

#[test]
fn linear_attention_is_its_sum() {
    for ctx in contexts() {
        let [q, k, v] = linear_operands(&ctx);
        for map in [FeatureMap::EluPlusOne, FeatureMap::Softmax] {
            let all = tokens(B, 0, S, None);
            let mut state = RecurrentState::new(B, K, E * (D + 1));
            let y = linear_attention(&ctx, &q, &k, &v, map, &all, &mut state);
            close_f64(y.data(), &linear_twin(map, [&q, &k, &v], true), 1e-5, "causal");
            let y = linear_attention_full(&ctx, &q, &k, &v, map, &all);
            close_f64(y.data(), &linear_twin(map, [&q, &k, &v], false), 1e-5, "full");
        }
    }
}

#[test]
fn linear_attention_in_pieces() {
    let ctx = Context::with_threads(1).unwrap();
    let [q, k, v] = linear_operands(&ctx);
    let run = |sizes: &[usize], valid: Option<&[bool]>| {
        let mut state = RecurrentState::new(B, K, E * (D + 1));
        in_pieces(S, sizes, |from, to| {
            let [q, k, v] = [&q, &k, &v].map(|x| piece(&ctx, x, from, to));
            linear_attention(&ctx, &q, &k, &v, FeatureMap::EluPlusOne, &tokens(B, from, to, valid), &mut state)
        })
    };
    for sizes in [&[1][..], &[70, 1], &[64, 3, 1]] {
        close(&run(sizes, None).concat(), &run(&[S], None).concat(), 1e-5, "pieces");
    }
    // What padding holds does not matter: a sequence behind padding is one that starts late.
    let valid: Vec<bool> = (0..B * S).map(|at| at / S == 0 || at % S >= 9).collect();
    let padded = run(&[S], Some(&valid));
    let mut state = RecurrentState::new(B, K, E * (D + 1));
    let [q, k, v] = [&q, &k, &v].map(|x| piece(&ctx, x, 9, S));
    let late = linear_attention(&ctx, &q, &k, &v, FeatureMap::EluPlusOne, &tokens(B, 0, S - 9, None), &mut state);
    close(&padded[1][9 * H * D..], &late.data()[(S - 9) * H * D..], 1e-5, "padding");
}

/// The recurrence of the gated delta rule, one token after the other.
fn delta_twin([q, k, v, g, beta]: [&Tensor; 5]) -> Vec<f64> {
    let mut out = vec![0.0; B * S * H * D];
    let unit = |x: &[f32]| -> Vec<f64> {
        let x: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
        let length = (x.iter().map(|x| x * x).sum::<f64>() + 1e-6).sqrt();
        x.into_iter().map(|x| x / length).collect()
    };
    for (b, h) in (0..B).flat_map(|b| (0..H).map(move |h| (b, h))) {
        let mut state = vec![0.0_f64; E * D];
        for i in 0..S {
            let token = b * S + i;
            let from = (token * K + h / (H / K)) * E;
            let (query, key) = (unit(&q.data()[from..][..E]), unit(&k.data()[from..][..E]));
            let decay = f64::from(g.data()[token * H + h]).exp();
            state.iter_mut().for_each(|s| *s *= decay);
            for d in 0..D {
                let held: f64 = (0..E).map(|e| state[e * D + d] * key[e]).sum();
                let value = f64::from(v.data()[(token * H + h) * D + d]);
                let correction = f64::from(beta.data()[token * H + h]) * (value - held);
                (0..E).for_each(|e| state[e * D + d] += key[e] * correction);
                let read: f64 = (0..E).map(|e| state[e * D + d] * query[e]).sum();
                out[(token * H + h) * D + d] = read / (E as f64).sqrt();
            }
        }
    }
    out
}

fn delta_operands(ctx: &Context) -> [Tensor; 5] {
    let size = [B, S, H];
    let decay: Vec<f32> = numbers(B * S * H, 7).iter().map(|x| -0.1 * x.abs()).collect();
    let beta: Vec<f32> = numbers(B * S * H, 8).iter().map(|x| 0.5 + 0.5 * x).collect();
    let (g, beta) = (ctx.from_slice(&size, &decay), ctx.from_slice(&size, &beta));
    [tensor(ctx, &[B, S, K, E], 4), tensor(ctx, &[B, S, K, E], 5), tensor(ctx, &[B, S, H, D], 6), g, beta]
}

#[test]
fn the_delta_rule_in_chunks_is_its_recurrence() {
    for ctx in contexts() {
        let all = delta_operands(&ctx);
        let [q, k, v, g, beta] = &all;
        let mut state = RecurrentState::new(B, H, E * D);
        let y = gated_delta(&ctx, q, k, v, g, beta, &tokens(B, 0, S, None), &mut state);
        close_f64(y.data(), &delta_twin(all.each_ref()), 1e-4, "chunks");
    }
}

#[test]
fn the_delta_rule_in_pieces() {
    let ctx = Context::with_threads(2).unwrap();
    let all = delta_operands(&ctx);
    let run = |sizes: &[usize]| {
        let mut state = RecurrentState::new(B, H, E * D);
        in_pieces(S, sizes, |from, to| {
            let [q, k, v, g, beta] = all.each_ref().map(|x| piece(&ctx, x, from, to));
            gated_delta(&ctx, &q, &k, &v, &g, &beta, &tokens(B, from, to, None), &mut state)
        })
    };
    for sizes in [&[1][..], &[80, 1], &[3, 64]] {
        close(&run(sizes).concat(), &run(&[S]).concat(), 1e-4, "pieces");
    }
}

#[test]
fn decays_are_negative_exponentials() {
    let ctx = Context::with_threads(1).unwrap();
    let decay = LogDecay::new(&[0.5, -1.0], vec![0.1, 30.0]);
    let y = decay.forward(&ctx, &ctx.from_slice(&[2, 2], &[0.3, 1.0, -2.0, 0.0]));
    let expected = [[0.5, 0.4], [-1.0, 31.0], [0.5, -1.9], [-1.0, 30.0]];
    let expected: Vec<f64> = expected.iter().map(|[a, x]: &[f64; 2]| -a.exp() * x.exp().ln_1p()).collect();
    close_f64(y.data(), &expected, 1e-6, "decay");
}

#[test]
fn a_short_convolution_keeps_its_last_tokens() {
    const N: usize = 4;
    for ctx in contexts() {
        let x = tensor(&ctx, &[B, 20, D], 9);
        let (weight, bias) = (numbers(D * N, 10), numbers(D, 11));
        let conv = ShortConv::new(&weight, Some(bias.clone()), D);
        let mut expected = Vec::new();
        for (b, t, c) in (0..B).flat_map(|b| (0..20).flat_map(move |t| (0..D).map(move |c| (b, t, c)))) {
            let taps = (0..N).filter(|j| t + j + 1 >= N);
            let sum: f64 = taps
                .map(|j| f64::from(weight[c * N + j]) * f64::from(x.data()[(b * 20 + t + j + 1 - N) * D + c]))
                .sum();
            expected.push(sum + f64::from(bias[c]));
        }
        let run = |sizes: &[usize]| {
            let mut state = RecurrentState::new(B, N - 1, D);
            in_pieces(20, sizes, |from, to| {
                conv.forward(&ctx, &piece(&ctx, &x, from, to), &tokens(B, from, to, None), &mut state)
            })
        };
        close_f64(&run(&[20]).concat(), &expected, 1e-6, "convolution");
        assert_eq!(run(&[1]), run(&[20]));
        assert_eq!(run(&[2, 5]), run(&[20]));
    }
}
