//! Attention over a part of the keys: against dense attention under a mask, and blind to everything outside it.

mod support;

use formwork_ops::Pattern;
use formwork_ops::attention::{Attention, KvCache, Mask};
use formwork_ops::dual_chunk::dual_chunk_attention;
use formwork_ops::dynamic_context::{chosen_attention, top_keys};
use formwork_ops::multi_scale::{GroupCache, multi_scale_attention, multi_scale_attention_full};
use formwork_ops::rope::{Rope, RopeConfig, RopeLayout, RopeScaling};
use formwork_ops::row_cache::RowCache;
use formwork_ops::sparse::{sparse_attention, sparse_attention_full};
use formwork_tensor::{Context, Ids, Tensor, Tokens};
use support::{close, contexts, in_pieces, piece, plain, tensor, tokens};

const B: usize = 2;
const S: usize = 37;
const H: usize = 4;
const K: usize = 2;
const E: usize = 6;
const D: usize = 5;
const SCALE: f32 = 0.4;

fn operands(ctx: &Context) -> [Tensor; 3] {
    [tensor(ctx, &[B, S, H, E], 1), tensor(ctx, &[B, S, K, E], 2), tensor(ctx, &[B, S, K, D], 3)]
}

/// Dense attention to the keys that a query sees.
fn dense(operands: [&Tensor; 3], sees: impl Fn(usize, usize) -> bool) -> Vec<f32> {
    let score = |product: f64, [_, _, i, j]: [usize; 4]| sees(i, j).then(|| f64::from(SCALE) * product);
    plain(operands, score).into_iter().map(|x| x as f32).collect()
}

fn patterns(causal: bool) -> Vec<Pattern> {
    let blocks = |local, global, random| Pattern::Blocks { size: 4, local, global, random, seed: 9, causal };
    vec![Pattern::Strided { stride: 5, causal }, blocks(1, 0, 0), blocks(1, 1, 0), blocks(0, 2, 2), blocks(1, 1, 3)]
}

fn seen(pattern: Pattern, i: usize, len: usize) -> Vec<usize> {
    let mut keys = Vec::new();
    pattern.for_each(i, len, &mut |range| keys.extend(range));
    keys
}

#[test]
fn a_pattern_equals_its_mask() {
    for ctx in contexts() {
        let [q, k, v] = operands(&ctx);
        for pattern in patterns(true) {
            let expected = dense([&q, &k, &v], |i, j| seen(pattern, i, S).contains(&j));
            for sizes in [&[S][..], &[1], &[11, 2]] {
                let mut cache = KvCache::new(B, K, E, D, S);
                let y = in_pieces(S, sizes, |from, to| {
                    let [q, k, v] = [&q, &k, &v].map(|x| piece(&ctx, x, from, to));
                    sparse_attention(&ctx, &q, &k, &v, pattern, SCALE, &tokens(B, from, to, None), &mut cache)
                });
                close(&y.concat(), &expected, 1e-5, &format!("{pattern:?} {sizes:?}"));
            }
        }
        for pattern in patterns(false) {
            let expected = dense([&q, &k, &v], |i, j| seen(pattern, i, S).contains(&j));
            let y = sparse_attention_full(&ctx, &q, &k, &v, pattern, SCALE, &tokens(B, 0, S, None));
            close(y.data(), &expected, 1e-5, &format!("{pattern:?}"));
        }
    }
}

/// A key that is not visited cannot spoil a result: each one in turn is not a number, and only the queries that see it notice.
#[test]
fn only_the_keys_of_a_pattern_are_visited() {
    let ctx = Context::with_threads(1).unwrap();
    let [q, k, v] = operands(&ctx);
    for pattern in patterns(true) {
        let mut visited = 0;
        for key in 0..S {
            let mut spoilt = k.clone();
            spoilt.data_mut()[key * K * E..][..K * E].fill(f32::NAN);
            let mut cache = KvCache::new(B, K, E, D, S);
            let y = sparse_attention(&ctx, &q, &spoilt, &v, pattern, SCALE, &tokens(B, 0, S, None), &mut cache);
            let rows = y.data()[..S * H * D].chunks_exact(H * D);
            let noticed: Vec<bool> = rows.map(|row| row.iter().all(|y| y.is_nan())).collect();
            let expected: Vec<bool> = (0..S).map(|i| seen(pattern, i, S).contains(&key)).collect();
            assert_eq!(noticed, expected, "{pattern:?} {key}");
            visited += noticed.iter().filter(|n| **n).count();
        }
        let counted: usize = (0..S).map(|i| pattern.count(i, S)).sum();
        assert_eq!(visited, counted, "{pattern:?}");
        assert!(counted < S * (S + 1) / 2, "{pattern:?} is sparse");
    }
}

#[test]
fn left_padding_moves_a_pattern_along() {
    let ctx = Context::with_threads(2).unwrap();
    let [q, k, v] = operands(&ctx);
    let valid: Vec<bool> = (0..B * S).map(|at| at % S >= 6).collect();
    for pattern in patterns(true) {
        let mut cache = KvCache::new(B, K, E, D, S);
        let padded = sparse_attention(&ctx, &q, &k, &v, pattern, SCALE, &tokens(B, 0, S, Some(&valid)), &mut cache);
        let [q, k, v] = [&q, &k, &v].map(|x| piece(&ctx, x, 6, S));
        let mut cache = KvCache::new(B, K, E, D, S);
        let late = sparse_attention(&ctx, &q, &k, &v, pattern, SCALE, &tokens(B, 0, S - 6, None), &mut cache);
        assert_eq!(piece(&ctx, &padded, 6, S).data(), late.data(), "{pattern:?}");
    }
}

#[test]
fn groups_of_heads_see_their_windows() {
    for ctx in contexts() {
        let [q, k, v] = operands(&ctx);
        let windows = [5, 0];
        for causal in [true, false] {
            let y = |sizes: &[usize]| {
                let mut cache = GroupCache::new(B, 1, E, D, &windows, S);
                in_pieces(S, sizes, |from, to| {
                    let [q, k, v] = [&q, &k, &v].map(|x| piece(&ctx, x, from, to));
                    let new = tokens(B, from, to, None);
                    match causal {
                        true => multi_scale_attention(&ctx, &q, &k, &v, &windows, SCALE, &new, &mut cache),
                        false => multi_scale_attention_full(&ctx, &q, &k, &v, &windows, SCALE, &new),
                    }
                })
                .concat()
            };
            let group = |heads: std::ops::Range<usize>, window: usize| {
                let whole = dense([&q, &k, &v], |i, j| (!causal || j <= i) && (window == 0 || i.abs_diff(j) < window));
                let rows: Vec<f32> =
                    whole.chunks_exact(H * D).flat_map(|row| row[heads.start * D..heads.end * D].to_vec()).collect();
                rows
            };
            let (near, all) = (group(0..2, 5), group(2..4, 0));
            let rows = near.chunks_exact(2 * D).zip(all.chunks_exact(2 * D));
            let expected: Vec<f32> = rows.flat_map(|(a, b)| [a, b].concat()).collect();
            close(&y(&[S]), &expected, 1e-5, "groups");
            if causal {
                assert_eq!(y(&[1]), y(&[S]));
                assert_eq!(y(&[9, 1]), y(&[S]));
            }
        }
    }
}

const ROPE: RopeConfig =
    RopeConfig { d_rot: E, trailing: false, theta: 50.0, layout: RopeLayout::HalfSplit, scaling: RopeScaling::None };

/// `x` as it would stand at `position` whatever its token.
fn turned(ctx: &Context, x: &[f32], position: usize) -> Vec<f32> {
    let stand = Tokens::new(Ids::zeros(1, 1), position, None).unwrap();
    Rope::new(ROPE).apply(ctx, ctx.from_slice(&[1, 1, x.len() / E, E], x), &stand).data().to_vec()
}

/// Scores pair by pair from the definition, then a softmax.
fn dual_chunk_twin(ctx: &Context, [q, k, v]: [&Tensor; 3], s: usize, c: usize) -> Vec<f32> {
    let mut out = Vec::new();
    for (b, i, h) in (0..B).flat_map(|b| (0..S).flat_map(move |i| (0..H).map(move |h| (b, i, h)))) {
        let query = &q.data()[((b * S + i) * H + h) * E..][..E];
        let row = |j: usize| (b * S + j) * K + h / (H / K);
        let mut scores = Vec::new();
        for j in 0..=i {
            let place = match i / s - j / s {
                0 => i % s,
                1 => (i % s + s).min(c - 1),
                _ => c - 1,
            };
            let (a, b) = (turned(ctx, query, place), turned(ctx, &k.data()[row(j) * E..][..E], j % s));
            scores.push(a.iter().zip(&b).map(|(a, b)| a * b).sum::<f32>() * SCALE);
        }
        let weights: Vec<f32> = scores.iter().map(|x| x.exp()).collect();
        let total: f32 = weights.iter().sum();
        out.extend((0..D).map(|d| (0..=i).map(|j| weights[j] / total * v.data()[row(j) * D + d]).sum::<f32>()));
    }
    out
}

#[test]
fn dual_chunks_stand_where_the_paper_says() {
    let ctx = Context::with_threads(2).unwrap();
    let [q, k, v] = operands(&ctx);
    for (s, c) in [(8, 11), (8, 16), (50, 60), (3, 4)] {
        let expected = dual_chunk_twin(&ctx, [&q, &k, &v], s, c);
        for sizes in [&[S][..], &[1], &[10, 3]] {
            let mut cache = KvCache::new(B, K, E, D, S);
            let y = in_pieces(S, sizes, |from, to| {
                let [q, k, v] = [&q, &k, &v].map(|x| piece(&ctx, x, from, to));
                dual_chunk_attention(&ctx, &q, &k, &v, ROPE, s, c, SCALE, &tokens(B, from, to, None), &mut cache)
            });
            close(&y.concat(), &expected, 2e-5, &format!("{s} {c} {sizes:?}"));
        }
    }
}

/// Within one chunk nothing but the rotation is left.
#[test]
fn one_chunk_is_plain_rotary_attention() {
    let ctx = Context::with_threads(1).unwrap();
    let [q, k, v] = operands(&ctx);
    let all = tokens(B, 0, S, None);
    let mut cache = KvCache::new(B, K, E, D, S);
    let y = dual_chunk_attention(&ctx, &q, &k, &v, ROPE, S, S + 9, SCALE, &all, &mut cache);
    let rope = Rope::new(ROPE);
    let (q, k) = (rope.apply(&ctx, q, &all), rope.apply(&ctx, k, &all));
    let plain = Attention::new(Mask::Causal, SCALE).run(&ctx, &q, &k, &v, &all);
    close(y.data(), plain.data(), 1e-6, "one chunk");
}

#[test]
fn the_index_chooses_the_best_keys() {
    const N: usize = 5;
    const I: usize = 3;
    let valid: Vec<bool> = (0..B * S).map(|at| at / S == 0 || at % S >= 4).collect();
    for ctx in contexts() {
        let [q, k, v] = operands(&ctx);
        let (iq, ik, iw) =
            (tensor(&ctx, &[B, S, I, E], 5), tensor(&ctx, &[B, S, 1, E], 6), tensor(&ctx, &[B, S, I], 7));
        for valid in [None, Some(&valid[..])] {
            let chosen = top_keys(&ctx, &iq, &ik, &iw, N, &tokens(B, 0, S, valid), &mut RowCache::new(B, E, S));
            let mut expected = Vec::new();
            for (b, i) in (0..B).flat_map(|b| (0..S).map(move |i| (b, i))) {
                let score = |j: usize| -> f64 {
                    let heads = (0..I).map(|h| {
                        let at = ((b * S + i) * I + h, b * S + j);
                        let pairs =
                            (0..E).map(|e| f64::from(iq.data()[at.0 * E + e]) * f64::from(ik.data()[at.1 * E + e]));
                        f64::from(iw.data()[at.0]) * pairs.sum::<f64>().max(0.0)
                    });
                    heads.sum()
                };
                let mut keys: Vec<usize> = (0..=i).filter(|j| valid.is_none_or(|v| v[b * S + j])).collect();
                keys.sort_by(|a, b| score(*b).total_cmp(&score(*a)).then(a.cmp(b)));
                keys.truncate(N);
                keys.sort_unstable();
                let row = chosen.row(b * S + i);
                let row: Vec<usize> = row.iter().filter(|j| **j != u32::MAX).map(|j| *j as usize).collect();
                assert_eq!(row, keys, "sequence {b}, token {i}");
                expected.push(keys);
            }
            let mut cache = KvCache::new(B, K, E, D, S);
            let y = chosen_attention(&ctx, &q, &k, &v, &chosen, SCALE, &tokens(B, 0, S, valid), &mut cache);
            for b in 0..B {
                let masked = dense([&q, &k, &v], |i, j| expected[b * S + i].contains(&j));
                let rows = b * S * H * D..(b + 1) * S * H * D;
                close(&y.data()[rows.clone()], &masked[rows], 1e-5, "chosen");
            }
        }
    }
}
