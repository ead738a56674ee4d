//! Heads that are experts, against sums written out in f64, at every SIMD level and number of threads.

mod support;

use formwork_ops::expert_heads::{ExpertHeads, MergedExpertHeads};
use formwork_ops::experts::Stacked;
use formwork_tensor::{Ids, Layout, Matrix, Param};
use support::{close_f64, contexts};

const TOKENS: usize = 5;
const D: usize = 6;
const EXPERTS: usize = 4;
const GROUPS: usize = 2;
const WIDTH: usize = 3;
const CHOSEN: [[usize; 2]; TOKENS] = [[3, 0], [0, 3], [1, 2], [3, 1], [2, 0]];

fn numbers(count: usize, step: f32) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * step).sin()).collect()
}

fn stacked(weight: &[f32], d_out: usize, d_in: usize) -> Stacked {
    let all = Param::from_f32(&[EXPERTS * d_out, d_in], weight);
    let one = |e: usize| Matrix::new(all.rows(e * d_out..(e + 1) * d_out), Layout::OutIn);
    Stacked::new((0..EXPERTS).map(one).collect(), None)
}

fn choices() -> Ids {
    Ids::new(CHOSEN.iter().flatten().map(|e| *e as u32).collect(), 1).unwrap()
}

#[test]
fn every_group_has_a_head_of_each_choice() {
    let (x, weight) = (numbers(TOKENS * D, 0.7), numbers(EXPERTS * GROUPS * WIDTH * D, 0.3));
    let mut expected = Vec::new();
    for (token, chosen) in CHOSEN.iter().enumerate() {
        for (group, expert) in (0..GROUPS).flat_map(|g| chosen.iter().map(move |e| (g, e))) {
            for at in 0..WIDTH {
                let row = &weight[((expert * GROUPS + group) * WIDTH + at) * D..][..D];
                expected.push(row.iter().zip(&x[token * D..]).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum());
            }
        }
    }
    let layer = ExpertHeads::new(stacked(&weight, GROUPS * WIDTH, D), GROUPS, WIDTH);
    for ctx in contexts() {
        let y = layer.forward(&ctx, &ctx.from_slice(&[1, TOKENS, D], &x), &choices());
        assert_eq!(y.shape(), [1, TOKENS, GROUPS * 2, WIDTH]);
        close_f64(y.data(), &expected, 1e-6, "heads");
    }
}

#[test]
fn the_heads_of_each_choice_go_through_its_matrix() {
    let heads = GROUPS * 2;
    let (x, weights) = (numbers(TOKENS * heads * WIDTH, 0.7), numbers(TOKENS * 2, 1.1));
    let weight = numbers(EXPERTS * D * GROUPS * WIDTH, 0.3);
    let mut expected = vec![0.0; TOKENS * D];
    for (token, chosen) in CHOSEN.iter().enumerate() {
        for (choice, expert) in chosen.iter().enumerate() {
            for out in 0..D {
                for (group, at) in (0..GROUPS).flat_map(|g| (0..WIDTH).map(move |at| (g, at))) {
                    let w = weight[((expert * D + out) * GROUPS + group) * WIDTH + at];
                    let head = x[((token * GROUPS + group) * 2 + choice) * WIDTH + at];
                    let term = [weights[token * 2 + choice], w, head].map(f64::from);
                    expected[token * D + out] += term.iter().product::<f64>();
                }
            }
        }
    }
    let layer = MergedExpertHeads::new(stacked(&weight, D, GROUPS * WIDTH), GROUPS, WIDTH, D);
    for ctx in contexts() {
        let x = ctx.from_slice(&[1, TOKENS, heads, WIDTH], &x);
        let weights = ctx.from_slice(&[1, TOKENS, 2], &weights);
        let y = layer.forward(&ctx, &x, &weights, &choices());
        close_f64(y.data(), &expected, 1e-6, "the weighted sum");
    }
}
