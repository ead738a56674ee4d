//! Attention that rotates queries and keys on their way into the cache, against rotating both beforehand: the same bits, at
//! every SIMD level and number of threads. Rotating is checked in `rope`, attention in `attention`, each against its f64 twin.

use formwork_ops::attention::{Attention, KvCache, Mask};
use formwork_ops::rope::{Rope, RopeConfig, RopeLayout, RopeScaling};
use formwork_ops::{CacheFormat, Room};
use formwork_tensor::{Context, Ids, Simd, Tensor, Tokens};

const B: usize = 2;
const H: usize = 4;
const K: usize = 2;
const E: usize = 24;
const V: usize = 20;
const WINDOW: usize = 12;
/// A prompt whose work several threads share, a step, and a few tokens more than a ring holds.
const PIECES: [usize; 4] = [60, 1, 20, 2];
const PADDING: usize = 5;

const PLAIN: RopeConfig = RopeConfig {
    d_rot: E,
    trailing: false,
    theta: 100.0,
    layout: RopeLayout::HalfSplit,
    scaling: RopeScaling::DynamicNtk { factor: 2.0, original_max: 16 },
};

fn tensor(ctx: &Context, [s, heads, d]: [usize; 3], seed: usize) -> Tensor {
    let numbers: Vec<f32> =
        (0..B * s * heads * d).map(|at| ((at * 37 + seed * 101) % 257) as f32 / 64.0 - 2.0).collect();
    ctx.from_slice(&[B, s, heads, d], &numbers)
}

fn tokens(past: usize, s: usize, padded: bool) -> Tokens {
    let row = |padding: usize| (0..past + s).map(move |slot| slot >= padding);
    let valid = padded.then(|| row(PADDING).chain(row(0)).collect());
    Tokens::new(Ids::zeros(B, s), past, valid).unwrap()
}

/// The results of all pieces, by one way or the other.
fn pieces(ctx: &Context, config: RopeConfig, mask: Mask, cache: &KvCache, padded: bool, fused: bool) -> Vec<u32> {
    let (rope, mut cache) = (Rope::new(config), cache.clone());
    let (mut past, mut out) = (0, Vec::new());
    for s in PIECES {
        let tokens = tokens(past, s, padded);
        let [q, k, v] =
            [([s, H, E], 1), ([s, K, E], 2), ([s, K, V], 3)].map(|(dims, seed)| tensor(ctx, dims, seed + past));
        let attention = Attention::new(mask, 0.3).cached(&mut cache);
        let y = if fused {
            attention.rotated(&rope).run(ctx, q, k, &v, &tokens)
        } else {
            let [q, k] = [q, k].map(|x| rope.apply(ctx, x, &tokens));
            attention.run(ctx, &q, &k, &v, &tokens)
        };
        out.extend(y.data().iter().map(|x| x.to_bits()));
        past += s;
    }
    out
}

fn check(config: RopeConfig, mask: Mask, cache: &KvCache) {
    for (simd, padded) in Simd::supported().into_iter().flat_map(|simd| [(simd, false), (simd, true)]) {
        let by =
            |threads: usize, fused: bool| pieces(&Context::with(threads, simd), config, mask, cache, padded, fused);
        let apart = by(1, false);
        for threads in [1, 2] {
            let what = format!("{simd:?} {config:?} {mask:?} {:?} padded {padded}, {threads} threads", cache.format());
            assert!(by(threads, true) == apart, "{what}");
        }
    }
}

fn room(format: CacheFormat) -> Room {
    Room { tokens: PIECES.iter().sum(), format }
}

#[test]
fn every_layout_in_every_cache() {
    for format in [CacheFormat::F32, CacheFormat::F16, CacheFormat::Q8] {
        let cache = KvCache::new(B, K, E, V, room(format));
        for layout in
            [RopeLayout::HalfSplit, RopeLayout::Interleaved, RopeLayout::PairsToHalves, RopeLayout::HalfSwapped]
        {
            for (d_rot, trailing) in [(E, false), (6, false), (6, true)] {
                check(RopeConfig { d_rot, trailing, layout, ..PLAIN }, Mask::Causal, &cache);
            }
        }
    }
}

#[test]
fn rings_drop_keys_alike() {
    for format in [CacheFormat::F32, CacheFormat::Q8] {
        for mask in [Mask::SlidingWindow(WINDOW), Mask::Chunked(WINDOW)] {
            check(PLAIN, mask, &KvCache::ring(B, K, E, V, WINDOW, room(format)));
        }
    }
}

#[test]
fn without_a_cache() {
    let (rope, tokens) = (Rope::new(PLAIN), tokens(0, PIECES[0], true));
    for simd in Simd::supported() {
        let ctx = Context::with(2, simd);
        let [q, k, v] = [[PIECES[0], H, E], [PIECES[0], K, E], [PIECES[0], K, V]].map(|dims| tensor(&ctx, dims, 1));
        let [q_rotated, k_rotated] = [&q, &k].map(|x| rope.apply(&ctx, x.clone(), &tokens));
        let apart = Attention::new(Mask::Full, 0.3).run(&ctx, &q_rotated, &k_rotated, &v, &tokens);
        let fused = Attention::new(Mask::Full, 0.3).rotated(&rope).run(&ctx, q, k, &v, &tokens);
        assert_eq!(fused.data(), apart.data(), "{simd:?}");
    }
}
