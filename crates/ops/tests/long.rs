//! Attention over a long text: no square of scores. Of sparse attention also as many pairs as the pattern has, and the masked dense result.

mod support;

use formwork_ops::Pattern;
use formwork_ops::attention::{Attention, Distances, KvCache, Mask};
use formwork_ops::sparse::sparse_attention;
use formwork_tensor::{Context, Simd};
use support::{close_f64, peak, plain, tensor, tokens};

const S: usize = 4096;
const D: usize = 8;

#[test]
fn a_long_text_costs_no_square_but_what_its_pattern_visits() {
    let level = Simd::supported().pop().unwrap_or(Simd::PORTABLE);
    let ctx = Context::with(2, level);
    let [q, k, v] = [1, 2, 3].map(|seed| tensor(&ctx, &[1, S, 1, D], seed));
    let blocks = Pattern::Blocks { size: 64, local: 1, global: 1, random: 2, seed: 7, causal: true };
    // Of a query: the last 64 keys and every 64th before; or its own block, one before, one leading and two that were picked.
    let bounds = [(Pattern::Strided { stride: 64, causal: true }, 64 + S / 64), (blocks, 5 * 64)];
    // Before any square is made that would hide a smaller one.
    let tables = [4, 5].map(|seed| tensor(&ctx, &[2 * 256, 1, D], seed));
    let before = peak();
    let distances = Distances { max_distance: 512, buckets: 256 };
    let attention = Attention::new(Mask::Full, 0.4).by_distance(distances, Some(&tables[0]), Some(&tables[1]));
    attention.run(&ctx, &q, &k, &v, &tokens(1, 0, S, None));
    if let (Some(before), Some(after)) = (before, peak()) {
        assert!(after - before < 16 * 1024, "by distance: {} KiB; a square of scores is 65536", after - before);
    }
    let found = bounds.map(|(pattern, _)| {
        let before = peak();
        let mut cache = KvCache::new(1, 1, D, D, S);
        let y = sparse_attention(&ctx, &q, &k, &v, pattern, 0.4, &tokens(1, 0, S, None), &mut cache);
        if let (Some(before), Some(after)) = (before, peak()) {
            assert!(after - before < 16 * 1024, "{pattern:?}: {} KiB; a square of scores is 65536", after - before);
        }
        y
    });
    for ((pattern, most), y) in bounds.into_iter().zip(found) {
        let mut seen = vec![false; S * S];
        let mut pairs = 0;
        for (i, row) in seen.chunks_exact_mut(S).enumerate() {
            pattern.for_each(i, S, &mut |keys| {
                pairs += keys.len();
                row[keys].fill(true);
            });
        }
        assert!(pairs > S && pairs <= S * most, "{pattern:?}: {pairs} pairs");
        let dense = plain([&q, &k, &v], |product, [_, _, i, j]| seen[i * S + j].then(|| f64::from(0.4_f32) * product));
        close_f64(y.data(), &dense, 1e-5, &format!("{pattern:?}"));
    }
}
