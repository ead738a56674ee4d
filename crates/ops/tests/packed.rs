//! Texts that stand in one row, one after the other: each as if it were alone, to the last bit.

use formwork_ops::attention::{Attention, Distances, Mask};
use formwork_tensor::{Context, Ids, Precision, Simd, Tensor, Tokens};

const HEADS: usize = 6;
const WIDTH: usize = 24;
const LENGTHS: [usize; 5] = [3, 300, 1, 70, 17];
const MASKS: [Mask; 6] =
    [Mask::Full, Mask::Causal, Mask::SlidingWindow(9), Mask::SymmetricWindow(4), Mask::Chunked(8), Mask::Prefix(5)];

fn numbers(ctx: &Context, tokens: usize, heads: usize, seed: usize) -> Tensor {
    let number = |i: usize| ((i + seed).wrapping_mul(2_654_435_761) % 1009) as f32 / 250.0 - 2.0;
    let data: Vec<f32> = (0..tokens * heads * WIDTH).map(number).collect();
    ctx.from_slice(&[1, tokens, heads, WIDTH], &data)
}

fn check(ctx: &Context, kv_heads: usize) {
    let total = LENGTHS.iter().sum();
    let all = [(HEADS, 1), (kv_heads, 2), (kv_heads, 3)].map(|(heads, seed)| numbers(ctx, total, heads, seed));
    let sinks = ctx.from_slice(&[HEADS], &[0.5; HEADS]);
    let packed = Tokens::packed(Ids::zeros(1, total), &LENGTHS).unwrap();
    let tables = [4, 5].map(|seed| numbers(ctx, 40, HEADS, seed).reshape(&[40, HEADS, WIDTH]));
    // With one vector a head and distance, where each head has keys of its own.
    for (mask, by_distance) in MASKS.into_iter().flat_map(|mask| [(mask, false), (mask, kv_heads == HEADS)]) {
        let attend = |[q, k, v]: &[Tensor; 3], tokens: &Tokens| {
            let (len, all) = (tokens.len(), 2 * total - 1);
            let of_head = |head: usize| (head * all + total - len..).take(2 * len - 1).map(|i| (i % 89) as f32 / 50.0);
            let bias: Vec<f32> = (0..HEADS).flat_map(of_head).collect();
            let bias = ctx.from_slice(&[HEADS, 2 * len - 1], &bias);
            let attention = Attention::new(mask, 0.2).softcap(20.0).alibi(0.5).sinks(&sinks).bias(&bias);
            let distances = Distances { max_distance: 60, buckets: 20 };
            let attention = match by_distance {
                true => attention.by_distance(distances, Some(&tables[0]), Some(&tables[1])),
                false => attention,
            };
            attention.run(ctx, q, k, v, tokens)
        };
        let together = attend(&all, &packed);
        for text in packed.texts() {
            let own = all.each_ref().map(|x| {
                let [_, _, heads, d] = x.axes("packed");
                ctx.from_slice(&[1, text.len(), heads, d], &x.data()[text.start * heads * d..text.end * heads * d])
            });
            let alone = attend(&own, &Tokens::new(Ids::zeros(1, text.len()), 0, None).unwrap());
            let row = HEADS * WIDTH;
            let found = &together.data()[text.start * row..text.end * row];
            assert!(found == alone.data(), "{mask:?}, {kv_heads} key heads, text {text:?}");
        }
    }
}

#[test]
fn packed_texts_do_not_see_each_other() {
    for simd in Simd::supported() {
        for (threads, kv_heads) in [(1, 6), (2, 3), (3, 2), (4, 1)] {
            check(&Context::with(threads, simd), kv_heads);
        }
    }
}

#[test]
fn nor_do_they_in_tiles() {
    for threads in [1, 2] {
        let ctx = Context::open(Some(threads), Precision::Bf16).unwrap();
        [2, HEADS].into_iter().for_each(|kv_heads| check(&ctx, kv_heads));
    }
}
