//! States go back, change rows and are measured.

use formwork_ops::attention::{Attention, KvCache, Mask};
use formwork_ops::kept::{Keeps, Kept};
use formwork_ops::multi_scale::GroupCache;
use formwork_ops::once::Once;
use formwork_ops::recurrent::RecurrentState;
use formwork_ops::row_cache::RowCache;
use formwork_tensor::{Context, Ids, Simd, Tensor, Tokens};

fn tensor(ctx: &Context, dims: &[usize], seed: f32) -> Tensor {
    let data: Vec<f32> = (0..dims.iter().product()).map(|i: usize| (i as f32 * 0.7 + seed).sin()).collect();
    ctx.from_slice(dims, &data)
}

/// One step of every row over `cache`, each with its own queries, keys and values.
fn step(ctx: &Context, cache: &mut KvCache, seeds: &[f32]) -> Vec<Vec<f32>> {
    let rows: Vec<Tensor> = seeds.iter().map(|seed| tensor(ctx, &[1, 1, 2, 4], *seed)).collect();
    let data: Vec<f32> = rows.iter().flat_map(|row| row.data().to_vec()).collect();
    let x = ctx.from_slice(&[seeds.len(), 1, 2, 4], &data);
    let tokens = Tokens::new(Ids::zeros(seeds.len(), 1), cache.len(), None).unwrap();
    let y = Attention::new(Mask::Causal, 0.5).cached(cache).run(ctx, &x, &x, &x, &tokens);
    y.data().chunks_exact(8).map(<[f32]>::to_vec).collect()
}

#[test]
fn rows_are_reordered_multiplied_and_dropped() {
    let ctx = Context::with(1, Simd::supported()[0]);
    let alone = |seeds: &[f32]| {
        let mut cache = KvCache::new(1, 2, 4, 4, 8);
        seeds.iter().map(|seed| step(&ctx, &mut cache, &[*seed])[0].clone()).last().unwrap()
    };
    let mut cache = KvCache::new(2, 2, 4, 4, 8);
    step(&ctx, &mut cache, &[1.0, 2.0]);
    cache.select(&[1, 0, 1]);
    assert_eq!(step(&ctx, &mut cache, &[3.0, 4.0, 5.0]), [alone(&[2.0, 3.0]), alone(&[1.0, 4.0]), alone(&[2.0, 5.0])]);
    let bytes = cache.bytes();
    cache.select(&[2]);
    assert_eq!(cache.bytes() * 3, bytes);
    assert_eq!(step(&ctx, &mut cache, &[6.0]), [alone(&[2.0, 5.0, 6.0])]);
    assert!(cache.truncate(1));
    assert_eq!(step(&ctx, &mut cache, &[7.0]), [alone(&[2.0, 7.0])]);
}

#[test]
fn what_is_gone_is_not_promised() {
    let ctx = Context::with(1, Simd::supported()[0]);
    let mut ring = KvCache::ring(1, 2, 4, 4, 2, 20);
    // A ring keeps whole panels of sixteen.
    (0..17).for_each(|i| drop(step(&ctx, &mut ring, &[i as f32])));
    assert!(!ring.truncate(16) && ring.len() == 17 && ring.truncate(17));
    let mut state = RecurrentState::new(1, 1, 4);
    assert!(state.truncate(0) && state.bytes() == 16);
}

#[test]
fn a_tree_visits_every_leaf() {
    let ctx = Context::with(1, Simd::supported()[0]);
    let once = Once::new();
    once.get(|| tensor(&ctx, &[2, 3], 0.0));
    let (mut once, mut rows) = (once, vec![RowCache::new(2, 5, 4), RowCache::new(2, 5, 4)]);
    let mut groups = GroupCache::new(2, 1, 4, 4, &[2, 0], 8);
    let mut sizes = Vec::new();
    let mut measure = |state: &mut dyn Kept| {
        state.select(&[1, 1, 0]);
        sizes.push(state.bytes());
    };
    once.each(&mut measure);
    rows.each(&mut measure);
    groups.each(&mut measure);
    ().each(&mut measure);
    assert_eq!(sizes, [3 * 3 * 4, 3 * 20 * 4, 3 * 20 * 4, 3 * (16 + 16) * 8 * 4]);
    let first = tensor(&ctx, &[2, 3], 0.0);
    let kept = once.get(|| unreachable!());
    assert_eq!(kept.data(), [&first.data()[3..], &first.data()[3..], &first.data()[..3]].concat());
}
