//! Sparse attention over a long text: as many pairs as the pattern has, no square of scores, and the masked dense result.

mod support;

use formwork_ops::Pattern;
use formwork_ops::attention::{Attention, KvCache, Mask};
use formwork_ops::sparse::sparse_attention;
use formwork_tensor::{Context, Simd};
use support::{close, tensor, tokens};

const S: usize = 4096;
const D: usize = 8;

/// The most memory that this process has held, in KiB; none where the system does not tell.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn a_long_text_costs_what_its_pattern_visits() {
    let level = Simd::supported().pop().unwrap_or(Simd::PORTABLE);
    let ctx = Context::with(2, level);
    let [q, k, v] = [1, 2, 3].map(|seed| tensor(&ctx, &[1, S, 1, D], seed));
    let blocks = Pattern::Blocks { size: 64, local: 1, global: 1, random: 2, seed: 7, causal: true };
    // Of a query: the last 64 keys and every 64th before; or its own block, one before, one leading and two that were picked.
    let bounds = [(Pattern::Strided { stride: 64, causal: true }, 64 + S / 64), (blocks, 5 * 64)];
    // Before any square is made that would hide a smaller one.
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
        let mut bias = ctx.from_slice(&[1, S, S], &vec![f32::NEG_INFINITY; S * S]);
        let mut pairs = 0;
        for (i, row) in bias.data_mut().chunks_exact_mut(S).enumerate() {
            pattern.for_each(i, S, &mut |keys| {
                pairs += keys.len();
                row[keys].fill(0.0);
            });
        }
        assert!(pairs > S && pairs <= S * most, "{pattern:?}: {pairs} pairs");
        let dense = Attention::new(Mask::Full, 0.4).bias(&bias).run(&ctx, &q, &k, &v, &tokens(1, 0, S, None));
        close(y.data(), dense.data(), 1e-5, &format!("{pattern:?}"));
    }
}
