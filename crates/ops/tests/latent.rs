//! Latent attention: expanded, absorbed and as plain attention over expanded keys and values; and over chosen keys alone.

mod support;

use formwork_ops::attention::{Attention, Mask};
use formwork_ops::chosen_mla::ChosenMla;
use formwork_ops::kept::Kept as _;
use formwork_ops::mla::{LatentDecoding, Mla};
use formwork_ops::row_cache::RowCache;
use formwork_tensor::{Context, Ids, Param, Tensor};
use support::{close, close_f64, contexts, in_pieces, numbers, piece, tensor, tokens};

const B: usize = 2;
const S: usize = 21;
const H: usize = 3;
const NOPE: usize = 6;
const ROPE: usize = 4;
const C: usize = 10;
const D: usize = 5;

struct Case {
    weight: Param,
    q: Tensor,
    latent: Tensor,
    rope: Tensor,
}

impl Case {
    fn new(ctx: &Context) -> Self {
        let weight = Param::from_f32(&[H * (NOPE + D), C], &numbers(H * (NOPE + D) * C, 1));
        let q = tensor(ctx, &[B, S, H, NOPE + ROPE], 2);
        Self { weight, q, latent: tensor(ctx, &[B, S, C], 3), rope: tensor(ctx, &[B, S, 1, ROPE], 4) }
    }

    fn run(&self, ctx: &Context, decoding: LatentDecoding, sizes: &[usize], valid: Option<&[bool]>) -> Vec<Vec<f32>> {
        let mla = Mla::new(&self.weight, H, NOPE, D, 0.3, decoding);
        let mut cache = RowCache::new(B, C + ROPE, S);
        let y = in_pieces(S, sizes, |from, to| {
            let [q, latent, rope] = [&self.q, &self.latent, &self.rope].map(|x| piece(ctx, x, from, to));
            mla.forward(ctx, &q, &latent, &rope, &tokens(B, from, to, valid), &mut cache)
        });
        assert_eq!(cache.bytes(), B * S * (C + ROPE) * 4);
        y
    }

    /// The keys `[W_k·c | r]` and values `W_v·c` of every head.
    fn keys_and_values(&self, ctx: &Context) -> [Tensor; 2] {
        let weight = self.weight.to_f32();
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (latent, rope) in self.latent.data().chunks_exact(C).zip(self.rope.data().chunks_exact(ROPE)) {
            for head in weight.chunks_exact((NOPE + D) * C) {
                let rows = head.chunks_exact(C);
                let made: Vec<f32> = rows.map(|row| row.iter().zip(latent).map(|(a, b)| a * b).sum()).collect();
                keys.extend(made[..NOPE].iter().chain(rope));
                values.extend(&made[NOPE..]);
            }
        }
        [ctx.from_slice(&[B, S, H, NOPE + ROPE], &keys), ctx.from_slice(&[B, S, H, D], &values)]
    }

    fn plain(&self, ctx: &Context, valid: Option<&[bool]>) -> Tensor {
        let [k, v] = self.keys_and_values(ctx);
        Attention::new(Mask::Causal, 0.3).run(ctx, &self.q, &k, &v, &tokens(B, 0, S, valid))
    }

    /// Softmax attention over the chosen keys, in double precision.
    fn chosen(&self, ctx: &Context) -> Vec<f64> {
        let [k, v] = self.keys_and_values(ctx);
        let mut out = Vec::new();
        for (b, i, h) in (0..B).flat_map(|b| (0..S).flat_map(move |i| (0..H).map(move |h| (b, i, h)))) {
            let row = |x: &Tensor, token: usize, d: usize| -> Vec<f64> {
                x.data()[((b * S + token) * H + h) * d..][..d].iter().map(|x| f64::from(*x)).collect()
            };
            let query = row(&self.q, i, NOPE + ROPE);
            let seen = choice(i);
            let score = |j: &usize| row(&k, *j, NOPE + ROPE).iter().zip(&query).map(|(a, b)| a * b).sum::<f64>() * 0.3;
            let weights: Vec<f64> = seen.iter().map(|j| score(j).exp()).collect();
            let sum: f64 = weights.iter().sum();
            let value = |d: usize| seen.iter().zip(&weights).map(|(j, w)| w / sum * row(&v, *j, D)[d]).sum::<f64>();
            out.extend((0..D).map(value));
        }
        out
    }
}

/// The keys that token `i` reads: itself, the third before it and the first.
fn choice(i: usize) -> Vec<usize> {
    let mut seen = vec![0, i.saturating_sub(3), i];
    seen.dedup();
    seen
}

#[test]
fn both_ways_to_decode_equal_plain_attention() {
    let padding: Vec<bool> = (0..B * S).map(|at| at / S == 1 || at % S >= 4).collect();
    for ctx in contexts() {
        let case = Case::new(&ctx);
        for valid in [None, Some(&padding[..])] {
            let expected = case.plain(&ctx, valid);
            for decoding in [LatentDecoding::Expanded, LatentDecoding::Absorbed] {
                for sizes in [&[S][..], &[1], &[7, 1, 3]] {
                    let y = case.run(&ctx, decoding, sizes, valid).concat();
                    close(&y, expected.data(), 2e-5, &format!("{decoding:?} {sizes:?}"));
                }
            }
        }
    }
}

#[test]
fn both_ways_to_decode_read_the_chosen_keys_alone() {
    const N: usize = 4;
    for ctx in contexts() {
        let case = Case::new(&ctx);
        let expected = case.chosen(&ctx);
        for decoding in [LatentDecoding::Expanded, LatentDecoding::Absorbed] {
            for sizes in [&[S][..], &[1], &[7, 1, 3]] {
                let mla = ChosenMla::new(Mla::new(&case.weight, H, NOPE, D, 0.3, decoding));
                let mut cache = RowCache::new(B, C + ROPE, S);
                let y = in_pieces(S, sizes, |from, to| {
                    let [q, latent, rope] = [&case.q, &case.latent, &case.rope].map(|x| piece(&ctx, x, from, to));
                    let slots = (0..B).flat_map(|_| from..to).flat_map(|i| {
                        let seen = choice(i).into_iter().map(|slot| slot as u32);
                        seen.chain(std::iter::repeat(u32::MAX)).take(N)
                    });
                    let keys = Ids::rows_of(slots.collect(), B * (to - from));
                    mla.forward(&ctx, &q, &latent, &rope, &keys, &tokens(B, from, to, None), &mut cache)
                });
                close_f64(&y.concat(), &expected, 2e-5, &format!("{decoding:?} {sizes:?}"));
            }
        }
    }
}
