//! How the work of one attention call is cut: tiles of queries, or blocks of keys where there are few queries.

use std::ops::Range;

use formwork_tensor::pairs::Rounded;
use formwork_tensor::{Context, Device, Simd, Tensor, Tokens, threads};

use super::alibi::{Linear, slope};
use super::block::{BLOCK, Block, Query, nothing, scratch_len};
use super::kernel::Attention;
use super::merge::{Finish, Merge};
use super::slots::Source;
use super::tiles;

/// Queries of a tile: as many as make up for laying out the keys.
const TILE: usize = 64;

/// The most blocks that a task takes one after the other, which memory serves faster.
const TOGETHER: usize = 8;

/// Operations that joining a block takes beside those for each sum.
const MERGED: usize = 128;

/// The slots that a query at a slot sees in a sequence with this padding.
pub(crate) type Seen<'a> = dyn Fn(usize, Option<&[bool]>) -> Range<usize> + Sync + 'a;

/// One form of the queries `[B, S, H, e]` and the slots that it meets.
#[derive(Clone, Copy)]
pub(crate) struct Form<'a> {
    pub(crate) q: &'a Tensor,
    pub(crate) seen: &'a Seen<'a>,
}

/// The operands of one call.
pub(crate) struct Call<'a> {
    pub(crate) attention: &'a Attention<'a>,
    /// What a query sees in one form it does not see in another.
    pub(crate) forms: &'a [Form<'a>],
    pub(crate) source: Source<'a>,
    pub(crate) tokens: &'a Tokens,
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

impl<'a> Call<'a> {
    /// The result `[B, S, H, d]` for so many key heads.
    pub(crate) fn run(&self, ctx: &Context, kv_heads: usize, d: usize) -> Tensor {
        let [b, steps, heads, e] = self.forms[0].q.axes("attention");
        assert!(heads % kv_heads == 0, "{heads} query heads do not share {kv_heads} key heads");
        let sizes = Sizes { steps, heads, group: heads / kv_heads, e, d };
        let mut y = ctx.tensor(&[b, steps, heads, d]);
        let (heads, threads) = (b * kv_heads, ctx.device().threads().count());
        match steps <= (TILE / sizes.group).max(1) {
            true if heads.is_multiple_of(threads) => self.by_queries(ctx, [b, kv_heads], sizes, false, &mut y),
            true => self.by_keys(ctx, [b, kv_heads], sizes, &mut y),
            false => self.by_queries(ctx, [b, kv_heads], sizes, tiles::are_used(ctx.device()), &mut y),
        }
        y
    }

    /// Every task takes one block of keys; the blocks are merged afterwards.
    fn by_keys(&self, ctx: &Context, [b, kv_heads]: [usize; 2], sizes: Sizes, y: &mut Tensor) {
        let Sizes { steps, group, e, d, heads } = sizes;
        let (rows, width) = (steps * group, d + 2);
        // The blocks of every form, one after the other.
        let of_form = |(at, form)| self.blocks(form, 0..b, 0..steps, sizes).map(move |block| (at, block));
        let blocks: Vec<(usize, usize)> = self.forms.iter().enumerate().flat_map(of_form).collect();
        let (simd, threads) = (ctx.device().simd(), ctx.device().threads());
        let of_head = |form: &Form<'a>, at| {
            let queries = self.queries([at / kv_heads, at % kv_heads], *form, 0..steps, sizes);
            let rounded = self.rounded(&queries, simd);
            (queries, rounded)
        };
        let of_form = |form| (0..b * kv_heads).map(|at| of_head(form, at)).collect();
        let heads_of: Vec<Vec<_>> = self.forms.iter().map(of_form).collect();
        let dims = [b, blocks.len(), kv_heads, rows * width];
        let mut parts = ctx.tensor(&dims);
        let together = (blocks.len() / (4 * threads.count())).clamp(1, TOGETHER);
        threads.grid(parts.data_mut(), dims, together, rows * BLOCK * (e + d), |sequence, kv_head, mut blocks_of| {
            for at in blocks_of.range() {
                threads::scratch(scratch_len(rows, e, d), |scratch| {
                    let (form, block) = blocks[at];
                    let (queries, rounded) = &heads_of[form][sequence * kv_heads + kv_head];
                    let of_block = self.block([sequence, kv_head], queries, block, scratch, blocks_of.row(at));
                    simd.run(of_block.in_codes(rounded.as_ref(), simd));
                });
            }
        });
        let parts = parts.data();
        threads.grid(y.data_mut(), [1, b * steps * heads, 1, d], 1, blocks.len() * (d + MERGED), |_, _, mut results| {
            for at in results.range() {
                let (row, head) = (at / heads, at % heads);
                let (sequence, step) = (row / steps, row % steps);
                threads::scratch(width, |total| {
                    nothing(total);
                    let of_block = kv_heads * rows * width;
                    let first = (head / group * rows + step * group + head % group) * width;
                    let parts = &parts[sequence * blocks.len() * of_block + first..];
                    simd.run(Merge { totals: &mut *total, parts, d, apart: of_block, blocks: blocks.len() });
                    simd.run(Finish { totals: total, sink: self.sink(head), y: results.row(at) });
                });
            }
        });
    }

    /// Every task takes a tile of queries and walks over the keys that they see.
    fn by_queries(&self, ctx: &Context, [b, kv_heads]: [usize; 2], sizes: Sizes, in_tiles: bool, y: &mut Tensor) {
        let Sizes { steps, group, e, d, .. } = sizes;
        let (device, simd): (&Device, _) = (ctx.device(), ctx.device().simd());
        let tile = (if in_tiles { tiles::QUERIES } else { TILE } / group).max(1);
        let work = self.tokens.slots() * group * (e + d);
        let dims = [b, steps, kv_heads, group * d];
        device.threads().grid(y.data_mut(), dims, tile, work, |sequence, kv_head, mut queries| {
            let (of, steps) = ([sequence, kv_head], queries.range());
            let floats = steps.len() * group * (d + 2);
            let most = if in_tiles { tiles::scratch_len(e, d) } else { scratch_len(steps.len() * group, e, d) };
            threads::scratch(most + 2 * floats, |scratch| {
                let (totals, rest) = scratch.split_at_mut(floats);
                let (parts, scratch) = rest.split_at_mut(floats);
                totals.chunks_exact_mut(d + 2).for_each(nothing);
                for form in self.forms {
                    let queries = self.queries(of, *form, steps.clone(), sizes);
                    let blocks = self.blocks(form, sequence..sequence + 1, steps.clone(), sizes);
                    if in_tiles {
                        self.add_in_tiles(device, of, &queries, blocks, [totals, parts, scratch]);
                        continue;
                    }
                    let rounded = self.rounded(&queries, simd);
                    for block in blocks {
                        simd.run(self.block(of, &queries, block, scratch, parts).in_codes(rounded.as_ref(), simd));
                        simd.run(Merge { totals: &mut *totals, parts: &*parts, d, apart: 0, blocks: 1 });
                    }
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

    /// The blocks of keys that any of the steps sees in a form.
    fn blocks(&self, form: &Form<'_>, sequences: Range<usize>, steps: Range<usize>, sizes: Sizes) -> Range<usize> {
        let held = self.source.held();
        let mut all = held.end..held.start;
        for sequence in sequences {
            let valid = self.tokens.valid_row(sequence);
            for step in [steps.start, steps.end - 1] {
                let seen = (form.seen)(self.slot(step, sizes), valid);
                if !seen.is_empty() {
                    all = all.start.min(seen.start)..all.end.max(seen.end);
                }
            }
        }
        let is_held = all.is_empty() || held.start <= all.start && all.end <= held.end;
        assert!(is_held, "the mask looks at keys {all:?}, but {held:?} are there");
        all.start / BLOCK..all.end.div_ceil(BLOCK)
    }

    /// The queries of the steps of all heads that share a key head: rows are `[steps, group]`.
    fn queries<'q>(
        &'q self,
        [sequence, kv_head]: [usize; 2],
        form: Form<'q>,
        steps: Range<usize>,
        sizes: Sizes,
    ) -> Vec<Query<'q>> {
        let Sizes { group, heads, e, .. } = sizes;
        let (attention, slots) = (self.attention, self.tokens.slots());
        let valid = self.tokens.valid_row(sequence);
        let query = |step: usize, head: usize, seen: Range<usize>| {
            let at = (sequence * sizes.steps + step) * heads + head;
            let slope = attention.alibi.map(|factor| factor * slope(head, heads));
            Query {
                q: &form.q.data()[at * e..][..e],
                seen,
                linear: slope.map(|slope| Linear { slope, query: self.slot(step, sizes) }),
                bias: attention.bias.map(|bias| {
                    let sequence = if bias.shape().len() == 4 { sequence } else { 0 };
                    &bias.data()[((sequence * heads + head) * sizes.steps + step) * slots..][..slots]
                }),
            }
        };
        let mut all = Vec::with_capacity(steps.len() * group);
        for step in steps {
            let seen = (form.seen)(self.slot(step, sizes), valid);
            all.extend((kv_head * group..(kv_head + 1) * group).map(|head| query(step, head, seen.clone())));
        }
        all
    }

    /// Queries for keys that are codes. Without instructions for products of codes those of floats are faster.
    fn rounded(&self, queries: &[Query<'_>], simd: Simd) -> Option<Rounded> {
        let width = queries.first()?.q.len();
        (self.source.is_coded() && simd != Simd::PORTABLE).then(|| Rounded::new(queries.iter().map(|query| query.q), width))
    }

    /// One block of keys.
    pub(crate) fn block<'q>(
        &self,
        [sequence, kv_head]: [usize; 2],
        queries: &'q [Query<'q>],
        block: usize,
        scratch: &'q mut [f32],
        parts: &'q mut [f32],
    ) -> Block<'q>
    where
        'a: 'q,
    {
        let [keys, values] = self.source.slots(sequence, kv_head);
        Block {
            queries,
            lanes_of_keys: keys.are_panels() || self.source.can_lay_out(),
            keys,
            values,
            valid: self.tokens.valid_row(sequence),
            scale: self.attention.scale,
            softcap: self.attention.softcap,
            first: block * BLOCK,
            coded: None,
            scratch,
            parts,
        }
    }
}
