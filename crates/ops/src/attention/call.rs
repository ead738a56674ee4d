//! How the work of one attention call is cut: tiles of queries, or blocks of keys where there are few queries.

use std::ops::Range;

use formwork_tensor::{Context, Tensor, Tokens, threads};

use super::alibi::{Linear, slope};
use super::block::{BLOCK, Block, Query, nothing, scratch_len};
use super::kernel::{Attention, segments};
use super::kv_cache::KvCache;
use super::merge::{Finish, Merge};

/// Queries of a tile: as many as make up for laying out the keys.
const TILE: usize = 64;

/// Query heads that share a key from which on laying out the keys pays even for a single step. It depends on the model alone,
/// so that steps of any length add in the same order.
const SHARED: usize = 4;

/// The operands of one call.
pub(crate) struct Call<'a> {
    pub(crate) attention: &'a Attention<'a>,
    pub(crate) q: &'a Tensor,
    pub(crate) k: &'a Tensor,
    pub(crate) v: &'a Tensor,
    pub(crate) tokens: &'a Tokens,
    pub(crate) cache: Option<&'a KvCache>,
}

/// The sizes of one call.
#[derive(Clone, Copy)]
struct Sizes {
    steps: usize,
    heads: usize,
    /// Query heads that share a key head.
    group: usize,
    e: usize,
    d: usize,
}

impl Call<'_> {
    /// `dims` are `B, S, H, K, e, d`.
    pub(crate) fn run(&self, ctx: &Context, dims: [usize; 6]) -> Tensor {
        let [b, steps, heads, kv_heads, e, d] = dims;
        let sizes = Sizes { steps, heads, group: heads / kv_heads, e, d };
        let mut y = ctx.tensor(&[b, steps, heads, d]);
        let tile = (TILE / sizes.group).max(1);
        if steps <= tile {
            self.by_keys(ctx, [b, kv_heads], sizes, &mut y);
        } else {
            self.by_queries(ctx, [b, kv_heads], sizes, tile, &mut y);
        }
        y
    }

    /// Every task takes one block of keys; the blocks are merged afterwards.
    fn by_keys(&self, ctx: &Context, [b, kv_heads]: [usize; 2], sizes: Sizes, y: &mut Tensor) {
        let Sizes { steps, group, e, d, heads } = sizes;
        let (rows, width) = (steps * group, d + 2);
        let blocks = self.blocks(0..b, 0..steps, sizes);
        let dims = [b, blocks.len(), kv_heads, rows * width];
        let mut parts = ctx.tensor(&dims);
        let (simd, threads) = (ctx.device().simd(), ctx.device().threads());
        threads.grid(parts.data_mut(), dims, 1, rows * BLOCK * (e + d), |sequence, kv_head, mut blocks_of| {
            for at in blocks_of.range() {
                threads::scratch(scratch_len(rows, e), |scratch| {
                    let parts = blocks_of.row(at);
                    simd.run(self.block([sequence, kv_head], 0..steps, blocks.start + at, sizes, scratch, parts));
                });
            }
        });
        let mut totals = ctx.tensor(&[rows, width]);
        for (at, y) in y.data_mut().chunks_exact_mut(d).enumerate() {
            let (row, head) = (at / heads, at % heads);
            let (sequence, step) = (row / steps, row % steps);
            let total = &mut totals.data_mut()[..width];
            nothing(total);
            for block in 0..blocks.len() {
                let part = (sequence * blocks.len() + block) * kv_heads + head / group;
                let part = (part * rows + step * group + head % group) * width;
                simd.run(Merge { totals: &mut *total, parts: &parts.data()[part..][..width], d });
            }
            simd.run(Finish { totals: total, sink: self.sink(head), y });
        }
    }

    /// Every task takes a tile of queries and walks over the keys that they see.
    fn by_queries(&self, ctx: &Context, [b, kv_heads]: [usize; 2], sizes: Sizes, tile: usize, y: &mut Tensor) {
        let Sizes { steps, group, e, d, .. } = sizes;
        let simd = ctx.device().simd();
        let work = self.tokens.slots() * group * (e + d);
        let dims = [b, steps, kv_heads, group * d];
        ctx.device().threads().grid(y.data_mut(), dims, tile, work, |sequence, kv_head, mut queries| {
            let steps = queries.range();
            let floats = steps.len() * group * (d + 2);
            threads::scratch(scratch_len(steps.len() * group, e) + 2 * floats, |scratch| {
                let (totals, rest) = scratch.split_at_mut(floats);
                let (parts, scratch) = rest.split_at_mut(floats);
                totals.chunks_exact_mut(d + 2).for_each(nothing);
                for block in self.blocks(sequence..sequence + 1, steps.clone(), sizes) {
                    simd.run(self.block([sequence, kv_head], steps.clone(), block, sizes, scratch, parts));
                    simd.run(Merge { totals: &mut *totals, parts: &*parts, d });
                }
                for (step, totals) in steps.zip(totals.chunks_exact(group * (d + 2))) {
                    let heads = queries.row(step).chunks_exact_mut(d).zip(totals.chunks_exact(d + 2));
                    for (head, (y, totals)) in heads.enumerate() {
                        simd.run(Finish { totals, sink: self.sink(kv_head * group + head), y });
                    }
                }
            });
        });
    }

    fn sink(&self, head: usize) -> Option<f32> {
        self.attention.sinks.map(|sinks| sinks.data()[head])
    }

    /// The slot of a new token.
    fn slot(&self, step: usize, sizes: Sizes) -> usize {
        let slots = self.tokens.slots();
        slots - sizes.steps.min(slots) + step
    }

    /// The blocks of keys that any of the steps sees.
    fn blocks(&self, sequences: Range<usize>, steps: Range<usize>, sizes: Sizes) -> Range<usize> {
        let slots = self.tokens.slots();
        let mut all = slots..0;
        for sequence in sequences {
            let valid = self.tokens.valid_row(sequence);
            for step in [steps.start, steps.end - 1] {
                let seen = self.attention.mask.seen(self.slot(step, sizes), slots, valid);
                all = all.start.min(seen.start)..all.end.max(seen.end);
            }
        }
        all.start / BLOCK..all.end.div_ceil(BLOCK)
    }

    /// One block of keys and the steps of all heads that share a key head: rows are `[steps, group]`.
    fn block<'a>(
        &'a self,
        [sequence, kv_head]: [usize; 2],
        steps: Range<usize>,
        block: usize,
        sizes: Sizes,
        scratch: &'a mut [f32],
        parts: &'a mut [f32],
    ) -> Block<'a, impl Fn(usize) -> Query<'a>> {
        let Sizes { group, heads, e, .. } = sizes;
        let (attention, slots) = (self.attention, self.tokens.slots());
        let valid = self.tokens.valid_row(sequence);
        let first = steps.start;
        let query = move |row: usize| {
            let (step, head) = (first + row / group, kv_head * group + row % group);
            let slot = self.slot(step, sizes);
            let at = (sequence * sizes.steps + step) * heads + head;
            let slope = attention.alibi.map(|factor| factor * slope(head, heads));
            Query {
                q: &self.q.data()[at * e..][..e],
                seen: attention.mask.seen(slot, slots, valid),
                linear: slope.map(|slope| Linear { slope, query: slot }),
                bias: attention.bias.map(|bias| &bias.data()[(head * sizes.steps + step) * slots..][..slots]),
            }
        };
        Block {
            query,
            rows: steps.len() * group,
            lanes_of_keys: group >= SHARED,
            segments: segments(self.cache, self.k, self.v, sequence, kv_head),
            valid,
            scale: attention.scale,
            softcap: attention.softcap,
            first: block * BLOCK,
            scratch,
            parts,
        }
    }
}
