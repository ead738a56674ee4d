//! How the work of one attention call is cut: tiles of queries, or blocks of keys where there are few queries.

use std::ops::Range;

use formwork_tensor::pairs::Rounded;
use formwork_tensor::{Context, Device, Simd, Tensor, Tokens, threads};

use super::alibi::{Linear, slope};
use super::block::{BLOCK, Block, Query, nothing, scratch_len};
use super::kernel::Attention;
use super::merge::{Finish, Merge};
use super::slots::{Slots, Source};
use super::strips::{self, Shared};
use super::tiles::{self, Sides};

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
    heads: usize,
    /// Query heads that share a key head.
    group: usize,
    e: usize,
    d: usize,
}

/// One text of the batch.
#[derive(Clone, Copy)]
struct Text {
    /// Its row of the batch.
    sequence: usize,
    /// Where its queries start among those of the batch, and how many there are.
    first: usize,
    steps: usize,
    /// Where its keys start in their row, and how many there are.
    keys: usize,
    slots: usize,
}

/// One key head of a text.
#[derive(Clone, Copy)]
pub(crate) struct KeyHead {
    text: Text,
    head: usize,
}

impl Sizes {
    /// Whether so many steps are less than a tile.
    fn are_few(self, steps: usize) -> bool {
        steps <= (TILE / self.group).max(1)
    }
}

impl Text {
    /// The slot of a new token, of those of the text.
    fn slot(self, step: usize) -> usize {
        self.slots - self.steps.min(self.slots) + step
    }
}

impl<'a> Call<'a> {
    /// The result `[B, S, H, d]` for so many key heads.
    pub(crate) fn run(&self, ctx: &Context, kv_heads: usize, d: usize) -> Tensor {
        let [b, steps, heads, e] = self.forms[0].q.axes("attention");
        assert!(heads % kv_heads == 0, "{heads} query heads do not share {kv_heads} key heads");
        let sizes = Sizes { heads, group: heads / kv_heads, e, d };
        let mut y = ctx.tensor(&[b, steps, heads, d]);
        let texts = self.texts(b, steps);
        // Threads that have as many key heads each need not cut them, and what a block gives stays with the core that made it.
        let are_even = (texts.len() * kv_heads).is_multiple_of(ctx.device().threads().count());
        let in_strips = self.attention.tables.is_some();
        if sizes.are_few(steps) && !are_even && !in_strips && self.tokens.packed_texts().is_empty() {
            self.by_keys(ctx, &texts, kv_heads, sizes, &mut y);
        } else {
            self.by_queries(ctx, &texts, kv_heads, sizes, &mut y);
        }
        y
    }

    /// The texts, in the order of their queries.
    fn texts(&self, b: usize, steps: usize) -> Vec<Text> {
        let slots = self.tokens.slots();
        match self.tokens.packed_texts() {
            [] => (0..b).map(|row| Text { sequence: row, first: row * steps, steps, keys: 0, slots }).collect(),
            texts => {
                let text = |at: &Range<usize>| Text { sequence: 0, first: at.start, steps: at.len(), keys: at.start, slots: at.len() };
                texts.iter().map(text).collect()
            }
        }
    }

    /// Every task takes one block of keys of texts of one length; the blocks are merged afterwards.
    fn by_keys(&self, ctx: &Context, texts: &[Text], kv_heads: usize, sizes: Sizes, y: &mut Tensor) {
        let Sizes { group, e, d, heads } = sizes;
        let (steps, width) = (texts[0].steps, d + 2);
        let rows = steps * group;
        // The blocks of every form, one after the other.
        let of_form = |(at, form)| self.blocks(form, texts, 0..steps).map(move |block| (at, block));
        let blocks: Vec<(usize, usize)> = self.forms.iter().enumerate().flat_map(of_form).collect();
        let (simd, threads) = (ctx.device().simd(), ctx.device().threads());
        let of_head = |form: &Form<'a>, at| {
            let queries = self.queries(KeyHead { text: texts[at / kv_heads], head: at % kv_heads }, *form, 0..steps, sizes);
            let rounded = self.rounded(&queries, simd);
            (queries, rounded)
        };
        let of_form = |form| (0..texts.len() * kv_heads).map(|at| of_head(form, at)).collect();
        let heads_of: Vec<Vec<_>> = self.forms.iter().map(of_form).collect();
        let dims = [texts.len(), blocks.len(), kv_heads, rows * width];
        let mut parts = ctx.tensor(&dims);
        let together = (blocks.len() / (4 * threads.count())).clamp(1, TOGETHER);
        threads.grid(parts.data_mut(), dims, together, rows * BLOCK * (e + d), |text, kv_head, mut blocks_of| {
            for at in blocks_of.range() {
                threads::scratch(scratch_len(rows, e, d), |scratch| {
                    let (form, block) = blocks[at];
                    let (queries, rounded) = &heads_of[form][text * kv_heads + kv_head];
                    let of = KeyHead { text: texts[text], head: kv_head };
                    let of_block = self.block(of, queries, block, scratch, blocks_of.row(at));
                    simd.run(of_block.in_codes(rounded.as_ref(), simd));
                });
            }
        });
        let parts = parts.data();
        let results = texts.len() * steps * heads;
        threads.grid(y.data_mut(), [1, results, 1, d], 1, blocks.len() * (d + MERGED), |_, _, mut results| {
            for at in results.range() {
                let (row, head) = (at / heads, at % heads);
                let (text, step) = (row / steps, row % steps);
                threads::scratch(width, |total| {
                    nothing(total);
                    let of_block = kv_heads * rows * width;
                    let first = (head / group * rows + step * group + head % group) * width;
                    let parts = &parts[text * blocks.len() * of_block + first..];
                    simd.run(Merge { totals: &mut *total, parts, d, apart: of_block, blocks: blocks.len() });
                    simd.run(Finish { totals: total, sink: self.sink(head), y: results.row(at) });
                });
            }
        });
    }

    /// Every task takes a tile of queries of one text and walks over the keys that they see.
    fn by_queries(&self, ctx: &Context, texts: &[Text], kv_heads: usize, sizes: Sizes, y: &mut Tensor) {
        let Sizes { group, e, d, .. } = sizes;
        let (device, tables): (&Device, _) = (ctx.device(), self.attention.tables);
        let longest = texts.iter().map(|text| text.slots).max().unwrap_or(0);
        let distances = tables.map(|tables| tables.distances.rows(longest)).unwrap_or_default();
        let in_tiles = |text: Text| tiles::are_used(device) && !sizes.are_few(text.steps);
        let cut = |text: &Text| {
            let queries = if in_tiles(*text) || tables.is_some() { strips::QUERIES } else { TILE };
            let (text, tile, end) = (*text, (queries / group).max(1), text.first + text.steps);
            (text.first..end).step_by(tile).map(move |first| (text, first..(first + tile).min(end)))
        };
        let (of_texts, runs): (Vec<Text>, Vec<Range<usize>>) = texts.iter().flat_map(cut).unzip();
        let work = texts[0].slots * group * (e + d);
        device.threads().runs(y.data_mut(), [kv_heads, group * d], &runs, work, |run, kv_head, mut queries| {
            let (text, range) = (of_texts[run], queries.range());
            let of = KeyHead { text, head: kv_head };
            let steps = range.start - text.first..range.end - text.first;
            let floats = steps.len() * group * (d + 2);
            let in_tiles = in_tiles(text);
            let most = if in_tiles { tiles::scratch_len(e, d) } else { scratch_len(steps.len() * group, e, d) };
            let of_distances = tables.map_or(0, |tables| tables.memory_len(steps.len(), e));
            threads::scratch(most + 2 * floats + of_distances, |scratch| {
                let (totals, rest) = scratch.split_at_mut(floats);
                let (parts, rest) = rest.split_at_mut(floats);
                let (memory, scratch) = rest.split_at_mut(of_distances);
                totals.chunks_exact_mut(d + 2).for_each(nothing);
                for form in self.forms {
                    let rows = self.queries(of, *form, steps.clone(), sizes);
                    let blocks = self.blocks(form, &[text], steps.clone());
                    let slots = text.slot(steps.start)..text.slot(steps.end);
                    let shared = Shared {
                        sides: in_tiles.then(|| Sides::new(device, &rows, d)),
                        by_distance: tables.map(|tables| tables.of_head(kv_head, e, &distances, slots, &mut *memory)),
                    };
                    let memory = [&mut *totals, &mut *parts, &mut *scratch];
                    match in_tiles || tables.is_some() {
                        true => self.add_in_strips(device, of, &rows, blocks, shared, memory),
                        false => self.add(device, of, &rows, blocks, memory),
                    }
                }
                for (row, totals) in range.zip(totals.chunks_exact(group * (d + 2))) {
                    let heads = queries.row(row).chunks_exact_mut(d).zip(totals.chunks_exact(d + 2));
                    for (head, (y, totals)) in heads.enumerate() {
                        device.simd().run(Finish { totals, sink: self.sink(kv_head * group + head), y });
                    }
                }
            });
        });
    }

    /// Adds blocks of a head's keys to the totals of queries. `parts` are as long as totals.
    fn add(
        &self,
        device: &Device,
        of: KeyHead,
        queries: &[Query<'_>],
        blocks: Range<usize>,
        [totals, parts, scratch]: [&mut [f32]; 3],
    ) {
        let (simd, d) = (device.simd(), totals.len() / queries.len() - 2);
        let rounded = self.rounded(queries, simd);
        for block in blocks {
            simd.run(self.block(of, queries, block, scratch, parts).in_codes(rounded.as_ref(), simd));
            simd.run(Merge { totals: &mut *totals, parts: &*parts, d, apart: 0, blocks: 1 });
        }
    }

    fn sink(&self, head: usize) -> Option<f32> {
        self.attention.sinks.map(|sinks| sinks.data()[head])
    }

    /// The blocks of keys that any of the steps sees in a form.
    fn blocks(&self, form: &Form<'_>, texts: &[Text], steps: Range<usize>) -> Range<usize> {
        let held = self.source.held();
        let mut all = held.end..held.start;
        for text in texts {
            for step in [steps.start, steps.end - 1] {
                let seen = self.seen(*text, form, step);
                if !seen.is_empty() {
                    all = all.start.min(seen.start)..all.end.max(seen.end);
                }
            }
        }
        let is_held = all.is_empty() || held.start <= all.start && all.end <= held.end;
        assert!(is_held, "the mask looks at keys {all:?}, but {held:?} are there");
        all.start / BLOCK..all.end.div_ceil(BLOCK)
    }

    /// The slots of a text that its query at a step sees in a form.
    fn seen(&self, text: Text, form: &Form<'_>, step: usize) -> Range<usize> {
        let seen = (form.seen)(text.slot(step), self.tokens.valid_row(text.sequence));
        seen.start..seen.end.min(text.slots)
    }

    /// The queries of the steps of all heads that share a key head: rows are `[steps, group]`.
    fn queries<'q>(&'q self, of: KeyHead, form: Form<'q>, steps: Range<usize>, sizes: Sizes) -> Vec<Query<'q>> {
        let KeyHead { text, head: kv_head } = of;
        let Sizes { group, heads, e, .. } = sizes;
        let attention = self.attention;
        let query = |step: usize, head: usize, seen: Range<usize>| {
            let at = (text.first + step) * heads + head;
            let slope = attention.alibi.map(|factor| factor * slope(head, heads));
            Query {
                q: &form.q.data()[at * e..][..e],
                seen,
                linear: slope.map(|slope| Linear { slope, query: text.slot(step) }),
                bias: attention.bias.map(|bias| self.bias(text, bias, step, head)),
            }
        };
        let mut all = Vec::with_capacity(steps.len() * group);
        for step in steps {
            let seen = self.seen(text, &form, step);
            all.extend((kv_head * group..(kv_head + 1) * group).map(|head| query(step, head, seen.clone())));
        }
        all
    }

    /// What is added to the scores of one query of a text, of a bias by distance.
    fn bias<'q>(&self, text: Text, bias: &'q Tensor, step: usize, head: usize) -> &'q [f32] {
        let first = head * bias.dims().width() + self.forms[0].q.shape()[1] - 1 - step;
        &bias.data()[first..][..text.slots]
    }

    /// Queries for keys that are codes. Without instructions for products of codes those of floats are faster.
    fn rounded(&self, queries: &[Query<'_>], simd: Simd) -> Option<Rounded> {
        let width = queries.first()?.q.len();
        (self.source.is_coded() && simd != Simd::PORTABLE).then(|| Rounded::new(queries.iter().map(|query| query.q), width))
    }

    /// Where the keys and values of a head are.
    pub(super) fn slots(&self, KeyHead { text, head }: KeyHead) -> [Slots<'a>; 2] {
        self.source.slots(text.sequence, head).map(|slots| slots.skip(text.keys))
    }

    /// One block of keys.
    pub(super) fn block<'q>(
        &self,
        of: KeyHead,
        queries: &'q [Query<'q>],
        block: usize,
        scratch: &'q mut [f32],
        parts: &'q mut [f32],
    ) -> Block<'q>
    where
        'a: 'q,
    {
        let [keys, values] = self.slots(of);
        Block {
            queries,
            lanes_of_keys: keys.are_panels() || self.source.can_lay_out(),
            keys,
            values,
            valid: self.tokens.valid_row(of.text.sequence),
            scale: self.attention.scale,
            softcap: self.attention.softcap,
            terms: None,
            first: block * BLOCK,
            coded: None,
            scratch,
            parts,
        }
    }
}
