//! Recurrences of a number or a matrix: against the token-by-token definition in f64, pieces against one pass, padding against none.

mod support;

use formwork_ops::block_linear::BlockLinear;
use formwork_ops::decayed_attention::decayed_attention;
use formwork_ops::recurrent::RecurrentState;
use formwork_ops::rg_lru::RgLru;
use formwork_ops::token_shift::token_shift;
use formwork_ops::wkv::Wkv;
use formwork_tensor::{Context, Tensor};
use support::{close, close_f64, contexts, in_pieces, numbers, piece, tensor, tokens};

const B: usize = 2;
/// More than two chunks.
const S: usize = 150;
const H: usize = 3;
const E: usize = 5;
const D: usize = 7;
/// Channels: more than a block.
const C: usize = 37;

fn at(x: &Tensor, index: usize) -> f64 {
    f64::from(x.data()[index])
}

/// Every head of every sequence, and its rows of `[B, S, H, ..]`.
fn rows() -> impl Iterator<Item = (usize, usize)> {
    (0..B).flat_map(|b| (0..H).map(move |h| (b, h)))
}

/// Runs whole, token by token and in pieces; all must agree with `expected`. Then a sequence behind padding must be one that starts late.
fn agrees(
    operands: impl Fn(&Context) -> Vec<Tensor>,
    state: impl Fn() -> RecurrentState,
    expected: impl Fn(&[Tensor]) -> Vec<f64>,
    run: impl Fn(&Context, &[Tensor], &formwork_tensor::Tokens, &mut RecurrentState) -> Tensor,
) {
    const LATE: usize = 9;
    for ctx in contexts() {
        let all = operands(&ctx);
        let expected = expected(&all);
        for sizes in [&[S][..], &[1], &[70, 3]] {
            let mut state = state();
            let y = in_pieces(S, sizes, |from, to| {
                let parts: Vec<Tensor> = all.iter().map(|x| piece(&ctx, x, from, to)).collect();
                run(&ctx, &parts, &tokens(B, from, to, None), &mut state)
            });
            close_f64(&y.concat(), &expected, 2e-5, "recurrence");
        }
        let valid: Vec<bool> = (0..B * S).map(|at| at / S == 0 || at % S >= LATE).collect();
        let padded = run(&ctx, &all, &tokens(B, 0, S, Some(&valid)), &mut state());
        let late: Vec<Tensor> = all.iter().map(|x| piece(&ctx, x, LATE, S)).collect();
        let late = run(&ctx, &late, &tokens(B, 0, S - LATE, None), &mut state());
        let width = padded.data().len() / (B * S);
        close(&padded.data()[(S + LATE) * width..], &late.data()[(S - LATE) * width..], 1e-5, "padding");
    }
}

#[test]
fn attention_that_forgets() {
    const FACTOR: f32 = 0.7;
    let operands = |ctx: &Context| {
        let [q, k] = [1, 2].map(|seed| tensor(ctx, &[B, S, H, E], seed));
        vec![q, k, tensor(ctx, &[B, S, H, D], 3)]
    };
    let expected = |all: &[Tensor]| {
        let mut out = vec![0.0; B * S * H * D];
        for (b, h) in rows() {
            let rate = f64::from(FACTOR) * (-8.0 * (h + 1) as f64 / H as f64).exp2();
            for (i, j) in (0..S).flat_map(|i| (0..=i).map(move |j| (i, j))) {
                let [query, key] = [i, j].map(|token| (b * S + token) * H + h);
                let product: f64 = (0..E).map(|e| at(&all[0], query * E + e) * at(&all[1], key * E + e)).sum();
                let weight = (-rate * (i - j) as f64).exp() * product;
                (0..D).for_each(|d| out[query * D + d] += weight * at(&all[2], key * D + d));
            }
        }
        out
    };
    agrees(
        operands,
        || RecurrentState::new(B, H, E * D),
        expected,
        |ctx, x, tokens, state| decayed_attention(ctx, &x[0], &x[1], &x[2], FACTOR, tokens, state),
    );
}

#[test]
fn a_gated_linear_unit_takes_its_first_token_whole() {
    let lambda = numbers(C, 9);
    let unit = RgLru::new(&lambda);
    let operands = |ctx: &Context| {
        let gates = [2, 3].map(|seed| -> Vec<f32> { numbers(B * S * C, seed).iter().map(|x| 0.5 + 0.5 * x).collect() });
        let [i, r] = gates.map(|gate| ctx.from_slice(&[B, S, C], &gate));
        vec![tensor(ctx, &[B, S, C], 1), i, r]
    };
    let expected = |all: &[Tensor]| {
        let mut out = vec![0.0; B * S * C];
        for (b, c) in (0..B).flat_map(|b| (0..C).map(move |c| (b, c))) {
            let mut held = 0.0;
            for t in 0..S {
                let index = (b * S + t) * C + c;
                let kept = (-8.0 * at(&all[2], index) * f64::from(lambda[c]).exp().ln_1p()).exp();
                let input = at(&all[1], index) * at(&all[0], index);
                held = if t == 0 { input } else { kept * held + (1.0 - kept * kept).sqrt() * input };
                out[index] = held;
            }
        }
        out
    };
    agrees(
        operands,
        || RecurrentState::new(B, C, 1),
        expected,
        |ctx, x, tokens, state| unit.forward(ctx, &x[0], &x[1], &x[2], tokens, state),
    );
}

#[test]
fn decaying_sums_are_weighted_means() {
    let (decay, first) = (numbers(C, 5), numbers(C, 6));
    let sums = Wkv::new(&decay, first.clone());
    // Keys so large that exponentials of them alone would overflow.
    let operands = |ctx: &Context| {
        let keys: Vec<f32> = numbers(B * S * C, 1).iter().map(|x| 90.0 + 2.0 * x).collect();
        vec![ctx.from_slice(&[B, S, C], &keys), tensor(ctx, &[B, S, C], 2)]
    };
    let expected = |all: &[Tensor]| {
        let mut out = vec![0.0; B * S * C];
        for (b, c) in (0..B).flat_map(|b| (0..C).map(move |c| (b, c))) {
            let rate = f64::from(decay[c]).exp();
            for t in 0..S {
                let exponent = |j: usize| {
                    let key = at(&all[0], (b * S + j) * C + c);
                    if j == t { f64::from(first[c]) + key } else { key - rate * (t - 1 - j) as f64 }
                };
                let most = (0..=t).map(exponent).fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<f64> = (0..=t).map(|j| (exponent(j) - most).exp()).collect();
                let sum: f64 = (0..=t).map(|j| weights[j] * at(&all[1], (b * S + j) * C + c)).sum();
                out[(b * S + t) * C + c] = sum / weights.iter().sum::<f64>();
            }
        }
        out
    };
    agrees(
        operands,
        || RecurrentState::new(B, C, 3),
        expected,
        |ctx, x, tokens, state| sums.forward(ctx, &x[0], &x[1], tokens, state),
    );
}

#[test]
fn each_token_sees_the_one_before() {
    let expected = |all: &[Tensor]| {
        let before = |index: usize| if (index / C).is_multiple_of(S) { 0.0 } else { at(&all[0], index - C) };
        (0..B * S * C).map(before).collect()
    };
    let operands = |ctx: &Context| vec![tensor(ctx, &[B, S, C], 1)];
    agrees(
        operands,
        || RecurrentState::new(B, 1, C),
        expected,
        |ctx, x, tokens, state| token_shift(ctx, &x[0], tokens, state),
    );
}

#[test]
fn a_linear_map_for_each_head() {
    let (weight, bias) = (numbers(H * C * C, 1), numbers(H * C, 2));
    let layer = BlockLinear::new(weight.clone(), bias.clone());
    for ctx in contexts() {
        let x = tensor(&ctx, &[B, 6, H, C], 3);
        let expected: Vec<f64> = (0..B * 6 * H * C)
            .map(|index| {
                let (row, h, out) = (index / C, index / C % H, index % C);
                let sum: f64 = (0..C).map(|d| at(&x, row * C + d) * f64::from(weight[(h * C + d) * C + out])).sum();
                sum + f64::from(bias[h * C + out])
            })
            .collect();
        close_f64(layer.forward(&ctx, &x).data(), &expected, 1e-5, "blocks");
    }
}
