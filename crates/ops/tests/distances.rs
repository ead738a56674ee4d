//! Attention whose queries and keys meet the vectors of distances, against its definition pair by pair.

mod support;

use formwork_ops::attention::{Attention, Distances, Mask};
use formwork_tensor::{Context, Precision, Simd, Tensor, Tokens};
use support::{close_f64, contexts, dot, plain, tensor, tokens};

const B: usize = 2;
const H: usize = 3;
const E: usize = 20;
const D: usize = 7;
const SCALE: f32 = 0.2;

/// Every distance by itself up to some; and far ones by their logarithm, which these lengths exceed.
const KINDS: [Distances; 4] = [
    Distances { max_distance: 1, buckets: 0 },
    Distances { max_distance: 700, buckets: 0 },
    Distances { max_distance: 20, buckets: 8 },
    Distances { max_distance: 400, buckets: 90 },
];

/// Around the sizes at which blocks of keys, tasks and strips of queries end.
const LENGTHS: [usize; 9] = [1, 2, 33, 64, 65, 256, 257, 330, 600];

/// The row of a distance by the formula of the paper.
fn row(Distances { max_distance, buckets }: Distances, distance: i64) -> usize {
    let (far, middle) = (distance.unsigned_abs() as usize, buckets / 2);
    let (half, steps) = match buckets {
        0 => (max_distance, far),
        _ if far <= middle => (buckets, far),
        _ => {
            let share = (far as f64 / middle as f64).ln() / ((max_distance - 1) as f64 / middle as f64).ln();
            (buckets, middle + (share * (middle - 1) as f64 - 1e-6).ceil() as usize)
        }
    };
    let steps = steps as i64 * distance.signum();
    (half as i64 + steps).clamp(0, 2 * half as i64 - 1) as usize
}

fn rows(Distances { max_distance, buckets }: Distances) -> usize {
    2 * if buckets == 0 { max_distance } else { buckets }
}

struct Case {
    distances: Distances,
    operands: [Tensor; 3],
    tables: [Tensor; 2],
}

impl Case {
    fn new(ctx: &Context, distances: Distances, len: usize) -> Self {
        let operands = [(E, 1), (E, 2), (D, 3)].map(|(width, seed)| tensor(ctx, &[B, len, H, width], seed));
        let tables = [4, 5].map(|seed| tensor(ctx, &[rows(distances), H, E], seed));
        Self { distances, operands, tables }
    }

    fn attention(&self, mask: Mask, [query, key]: [bool; 2]) -> Attention<'_> {
        let [of_queries, of_keys] = [query.then_some(&self.tables[0]), key.then_some(&self.tables[1])];
        Attention::new(mask, SCALE).by_distance(self.distances, of_queries, of_keys)
    }

    fn run(&self, ctx: &Context, attention: Attention<'_>, tokens: &Tokens) -> Tensor {
        let [q, k, v] = &self.operands;
        attention.run(ctx, q, k, v, tokens)
    }

    /// What a pair adds to the product of its query and key.
    fn term(&self, [query, key]: [bool; 2], [sequence, head, i, j]: [usize; 4]) -> f64 {
        let content = |x: &Tensor, token: usize| {
            let [_, s, heads, e] = x.axes("term");
            x.data()[((sequence * s + token) * heads + head) * e..][..e].to_vec()
        };
        let row = row(self.distances, i as i64 - j as i64);
        let vector = |table: &Tensor| table.data()[(row * H + head) * E..][..E].to_vec();
        let [q, k, _] = &self.operands;
        let of_query = if query { dot(&content(q, i), &vector(&self.tables[0])) } else { 0.0 };
        of_query + if key { dot(&content(k, j), &vector(&self.tables[1])) } else { 0.0 }
    }

    fn plain(&self, given: [bool; 2], score: impl Fn(f64, [usize; 4]) -> Option<f64>) -> Vec<f64> {
        let [q, k, v] = &self.operands;
        plain([q, k, v], |product, pair| score(f64::from(SCALE) * (product + self.term(given, pair)), pair))
    }
}

fn check(distances: Distances, len: usize, given: [bool; 2], mask: Mask, sees: impl Fn(usize, usize) -> bool) {
    let contexts = contexts();
    let case = Case::new(&contexts[0], distances, len);
    let expected = case.plain(given, |score, [_, _, i, j]| sees(i, j).then_some(score));
    let mut last: Option<(Simd, Tensor)> = None;
    for ctx in contexts {
        let y = case.run(&ctx, case.attention(mask, given), &tokens(B, 0, len, None));
        let level = ctx.device().simd();
        close_f64(y.data(), &expected, 1e-5, &format!("{level:?} {distances:?} {len} {given:?} {mask:?}"));
        if let Some((_, other)) = last.filter(|(other, _)| *other == level) {
            assert_eq!(y.data(), other.data(), "one and two threads");
        }
        last = Some((level, y));
    }
}

#[test]
fn queries_and_keys_meet_the_vector_of_their_distance() {
    for (at, len) in LENGTHS.into_iter().enumerate() {
        for (kind, distances) in KINDS.into_iter().enumerate() {
            let given = [[true, true], [true, false], [false, true]][(at + kind) % 3];
            check(distances, len, given, Mask::Full, |_, _| true);
        }
    }
}

#[test]
fn a_window_reaches_the_distances_that_it_sees() {
    for (len, half) in [(65, 3), (330, 40), (600, 290)] {
        for distances in KINDS {
            check(distances, len, [true, true], Mask::SymmetricWindow(half), |i, j| i.abs_diff(j) <= half);
        }
    }
}

#[test]
fn distances_go_with_padding_caps_and_biases() {
    let len = 70;
    for ctx in contexts() {
        let case = Case::new(&ctx, KINDS[2], len);
        // Padded left and right.
        let valid: Vec<bool> = (0..B * len).map(|at| (6..B * len - 9).contains(&at)).collect();
        let bias = tensor(&ctx, &[H, 2 * len - 1], 6);
        let attention = case.attention(Mask::Full, [true, true]).softcap(2.0).bias(&bias);
        let found = case.run(&ctx, attention, &tokens(B, 0, len, Some(&valid)));
        let expected = case.plain([true, true], |score, [sequence, head, i, j]| {
            let bias = f64::from(bias.data()[head * (2 * len - 1) + j + len - 1 - i]);
            valid[sequence * len + j].then(|| 2.0 * (score / 2.0).tanh() + bias)
        });
        close_f64(found.data(), &expected, 1e-5, "padded, capped and biased");
    }
}

#[test]
fn tiles_of_bf16_add_the_same_terms() {
    let contexts = [1, 2].map(|threads| Context::open(Some(threads), Precision::Bf16).unwrap());
    for len in [90, 330] {
        let case = Case::new(&contexts[0], KINDS[3], len);
        let expected = case.plain([true, true], |score, _| Some(score));
        let of = |ctx: &Context| case.run(ctx, case.attention(Mask::Full, [true, true]), &tokens(B, 0, len, None));
        let [one, two] = contexts.each_ref().map(of);
        close_f64(one.data(), &expected, 0.01, "rounded");
        assert_eq!(one.data(), two.data(), "one and two threads");
    }
}
