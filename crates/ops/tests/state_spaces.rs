//! The selective scan and the state space of several heads: against the token-by-token definition in f64, pieces against one pass,
//! padding against none.

mod support;

use formwork_ops::recurrent::RecurrentState;
use formwork_ops::selective_scan::SelectiveScan;
use formwork_ops::state_space::StateSpace;
use formwork_tensor::{Context, Tensor};
use support::{close, close_f64, contexts, in_pieces, numbers, piece, tensor, tokens};

const B: usize = 2;
/// More than two chunks.
const S: usize = 150;
const N: usize = 5;

fn softplus(x: f64) -> f64 {
    x.exp().ln_1p()
}

fn at(x: &[f32], index: usize) -> f64 {
    f64::from(x[index])
}

/// Channels: more than a block.
const D: usize = 37;

fn scan_weights() -> (Vec<f32>, Vec<f32>) {
    (numbers(D * N, 1), numbers(D, 2))
}

fn scan_operands(ctx: &Context) -> [Tensor; 4] {
    [tensor(ctx, &[B, S, D], 3), tensor(ctx, &[B, S, D], 4), tensor(ctx, &[B, S, N], 5), tensor(ctx, &[B, S, N], 6)]
}

fn scan_twin([x, dt, b, c]: [&[f32]; 4]) -> Vec<f64> {
    let (a_log, skip) = scan_weights();
    let mut out = vec![0.0; B * S * D];
    for (sequence, channel) in (0..B).flat_map(|b| (0..D).map(move |d| (b, d))) {
        let mut held = [0.0; N];
        for token in sequence * S..(sequence + 1) * S {
            let step = softplus(at(dt, token * D + channel));
            let input = at(x, token * D + channel);
            let mut sum = at(&skip, channel) * input;
            for (n, held) in held.iter_mut().enumerate() {
                let rate = -at(&a_log, channel * N + n).exp();
                *held = (step * rate).exp() * *held + step * input * at(b, token * N + n);
                sum += *held * at(c, token * N + n);
            }
            out[token * D + channel] = sum;
        }
    }
    out
}

#[test]
fn the_scan_is_its_recurrence_whole_and_in_pieces() {
    let (a_log, skip) = scan_weights();
    let scan = SelectiveScan::new(&a_log, skip);
    for ctx in contexts() {
        let all = scan_operands(&ctx);
        let expected = scan_twin(all.each_ref().map(Tensor::data));
        let run = |sizes: &[usize]| {
            let mut state = RecurrentState::new(B, D, N);
            in_pieces(S, sizes, |from, to| {
                let [x, dt, b, c] = all.each_ref().map(|x| piece(&ctx, x, from, to));
                scan.forward(&ctx, &x, &dt, &b, &c, &tokens(B, from, to, None), &mut state)
            })
            .concat()
        };
        close_f64(&run(&[S]), &expected, 1e-5, "scan");
        assert_eq!(run(&[1]), run(&[S]));
        assert_eq!(run(&[70, 3]), run(&[S]));
    }
}

#[test]
fn padding_leaves_the_scan_alone() {
    let ctx = Context::with_threads(1).unwrap();
    let (a_log, skip) = scan_weights();
    let scan = SelectiveScan::new(&a_log, skip);
    let [x, dt, b, c] = scan_operands(&ctx);
    let valid: Vec<bool> = (0..B * S).map(|at| at / S == 0 || at % S >= 9).collect();
    let mut state = RecurrentState::new(B, D, N);
    let padded = scan.forward(&ctx, &x, &dt, &b, &c, &tokens(B, 0, S, Some(&valid)), &mut state);
    let mut state = RecurrentState::new(B, D, N);
    let [x, dt, b, c] = [&x, &dt, &b, &c].map(|x| piece(&ctx, x, 9, S));
    let late = scan.forward(&ctx, &x, &dt, &b, &c, &tokens(B, 0, S - 9, None), &mut state);
    close(&padded.data()[(S + 9) * D..], &late.data()[(S - 9) * D..], 1e-6, "padding");
}

const H: usize = 4;
const G: usize = 2;
/// Features of a head.
const P: usize = 7;
const LIMITS: (f32, f32) = (0.5, 0.9);

fn space(limits: (f32, f32)) -> StateSpace {
    StateSpace::new(&numbers(H, 7), numbers(H, 8), numbers(H, 9), limits.0, limits.1)
}

fn space_operands(ctx: &Context) -> [Tensor; 4] {
    let size = [B, S, G, N];
    [tensor(ctx, &[B, S, H, P], 10), tensor(ctx, &[B, S, H], 11), tensor(ctx, &size, 12), tensor(ctx, &size, 13)]
}

fn space_twin([x, dt, b, c]: [&[f32]; 4], limits: (f32, f32)) -> Vec<f64> {
    let [a_log, skip, bias] = [7, 8, 9].map(|seed| numbers(H, seed));
    let mut out = vec![0.0; B * S * H * P];
    for (sequence, head) in (0..B).flat_map(|b| (0..H).map(move |h| (b, h))) {
        let mut held = [[0.0; P]; N];
        for token in sequence * S..(sequence + 1) * S {
            let step = softplus(at(dt, token * H + head) + at(&bias, head));
            let step = step.clamp(f64::from(limits.0), f64::from(limits.1));
            let decay = (step * -at(&a_log, head).exp()).exp();
            let shared = (token * G + head / (H / G)) * N;
            for p in 0..P {
                let input = at(x, (token * H + head) * P + p);
                let mut sum = at(&skip, head) * input;
                for (n, held) in held.iter_mut().enumerate() {
                    held[p] = decay * held[p] + step * at(b, shared + n) * input;
                    sum += held[p] * at(c, shared + n);
                }
                out[(token * H + head) * P + p] = sum;
            }
        }
    }
    out
}

#[test]
fn the_state_space_is_its_recurrence_whole_and_in_pieces() {
    for (ctx, limits) in contexts().iter().flat_map(|ctx| [(0.0, f32::INFINITY), LIMITS].map(|it| (ctx, it))) {
        let all = space_operands(ctx);
        let expected = space_twin(all.each_ref().map(Tensor::data), limits);
        for sizes in [&[S][..], &[1], &[70, 3]] {
            let mut state = RecurrentState::new(B, H, N * P);
            let y = in_pieces(S, sizes, |from, to| {
                let [x, dt, b, c] = all.each_ref().map(|x| piece(ctx, x, from, to));
                space(limits).forward(ctx, &x, &dt, &b, &c, &tokens(B, from, to, None), &mut state)
            });
            close_f64(&y.concat(), &expected, 1e-5, "state space");
        }
    }
}

#[test]
fn padding_leaves_the_state_space_alone() {
    let ctx = Context::with_threads(1).unwrap();
    let it = space((0.0, f32::INFINITY));
    let [x, dt, b, c] = space_operands(&ctx);
    let valid: Vec<bool> = (0..B * S).map(|at| at / S == 0 || at % S >= 9).collect();
    let mut state = RecurrentState::new(B, H, N * P);
    let padded = it.forward(&ctx, &x, &dt, &b, &c, &tokens(B, 0, S, Some(&valid)), &mut state);
    let mut state = RecurrentState::new(B, H, N * P);
    let [x, dt, b, c] = [&x, &dt, &b, &c].map(|x| piece(&ctx, x, 9, S));
    let late = it.forward(&ctx, &x, &dt, &b, &c, &tokens(B, 0, S - 9, None), &mut state);
    close(&padded.data()[(S + 9) * H * P..], &late.data()[(S - 9) * H * P..], 1e-5, "padding");
}
