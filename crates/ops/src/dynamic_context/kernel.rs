//! The indexer's choice, and attention to what it chose.

use formwork_tensor::lanes::dots;
use formwork_tensor::{Context, Ids, Kernel, Tensor, Tokens, threads};

use crate::attention::KvCache;
use crate::attention::listed::attend;
use crate::attention::slots::Source;
use crate::stored::StoredRows;
use crate::row_cache::RowCache;

/// Stands where fewer keys are visible than are to be chosen.
pub(crate) const NONE: u32 = u32::MAX;

/// Keys that are read at once.
const CHUNK: usize = 32;

/// Index queries `[B, S, H, d]`, keys `[B, S, 1, d]` and weights `[B, S, H]` to the slots of the best `n` keys of each token, in
/// order: rows of `n`, one for each sequence and token.
pub fn top_keys(
    ctx: &Context,
    q: &Tensor,
    k: &Tensor,
    w: &Tensor,
    n: usize,
    tokens: &Tokens,
    cache: &mut RowCache,
) -> Ids {
    let [b, s, heads, d] = q.axes("top_keys");
    assert_eq!(tokens.past, cache.len(), "the cache holds the tokens of earlier steps");
    cache.append([b, s], [k]);
    let mut chosen = vec![NONE; b * s * n];
    let simd = ctx.device().simd();
    ctx.device().threads().chunks(&mut chosen, n, |row, chosen| {
        let (sequence, slot) = (row / s, tokens.past + row % s);
        let keys = cache.rows(sequence);
        threads::scratch(slot + 1 + CHUNK * d, |scratch| {
            let (scores, scratch) = scratch.split_at_mut(slot + 1);
            let weights = &w.data()[row * heads..][..heads];
            let queries = &q.data()[row * heads * d..][..heads * d];
            simd.run(Scores { queries, weights, keys, scores, scratch });
            best(scores, tokens.valid_row(sequence), chosen);
        });
    });
    Ids::rows_of(chosen, b * s)
}

/// `Σ_h w_h · max(q_h·k_j, 0)` for each key `j`.
struct Scores<'a> {
    queries: &'a [f32],
    weights: &'a [f32],
    keys: StoredRows<'a>,
    scores: &'a mut [f32],
    /// A chunk of keys.
    scratch: &'a mut [f32],
}

impl Kernel for Scores<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let d = self.keys.width;
        for (chunk, scores) in self.scores.chunks_mut(CHUNK).enumerate() {
            let keys = self.keys.floats::<N>(chunk * CHUNK, scores.len(), self.scratch);
            for (score, key) in scores.iter_mut().zip(keys.chunks_exact(d)) {
                *score = 0.0;
                for (query, weight) in self.queries.chunks_exact(d).zip(self.weights) {
                    *score += weight * dots::<1, N, FMA>(query, key, d)[0].max(0.0);
                }
            }
        }
    }
}

/// The slots of the largest scores in ascending order; of equal ones the earlier slot wins.
fn best(scores: &[f32], valid: Option<&[bool]>, chosen: &mut [u32]) {
    let is_valid = |slot: usize| valid.is_none_or(|valid| valid[slot]);
    let better = |a: u32, b: u32| scores[a as usize].total_cmp(&scores[b as usize]).then(b.cmp(&a)).is_gt();
    let mut filled = 0;
    // A heap whose first element is the worst of those kept.
    for slot in (0..scores.len()).filter(|slot| is_valid(*slot)) {
        let slot = slot as u32;
        if filled < chosen.len() {
            chosen[filled] = slot;
            filled += 1;
            rise(&mut chosen[..filled], &better);
        } else if better(slot, chosen[0]) {
            chosen[0] = slot;
            sink(chosen, &better);
        }
    }
    chosen[..filled].sort_unstable();
}

fn rise(heap: &mut [u32], better: &impl Fn(u32, u32) -> bool) {
    let mut at = heap.len() - 1;
    while at > 0 && better(heap[(at - 1) / 2], heap[at]) {
        heap.swap((at - 1) / 2, at);
        at = (at - 1) / 2;
    }
}

fn sink(heap: &mut [u32], better: &impl Fn(u32, u32) -> bool) {
    let mut at = 0;
    loop {
        let children = 2 * at + 1..(2 * at + 3).min(heap.len());
        let Some(worst) = children.reduce(|a, b| if better(heap[a], heap[b]) { b } else { a }) else { return };
        if !better(heap[at], heap[worst]) {
            return;
        }
        heap.swap(at, worst);
        at = worst;
    }
}

/// Attention over `q` `[B, S, H, e]`, `k` `[B, S, K, e]` and `v` `[B, S, K, d]` to the `keys` that [`top_keys`] gave.
pub fn chosen_attention(
    ctx: &Context,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    keys: &Ids,
    scale: f32,
    tokens: &Tokens,
    cache: &mut KvCache,
) -> Tensor {
    assert_eq!(tokens.past, cache.len(), "the cache holds the tokens of earlier steps");
    let [_, s, kv_heads, d] = v.axes("chosen_attention");
    cache.append(ctx, k, v);
    attend(ctx, q, Source::Cache(cache), [kv_heads, d], scale, tokens, |sequence, step, see| {
        let chosen = keys.row(sequence * s + step).iter().filter(|slot| **slot != NONE);
        chosen.for_each(|slot| see(*slot as usize));
    })
}
