//! Attention of many queries in tiles of bf16: queries, keys, weights and values are rounded, sums and softmax stay in f32.

use std::ops::Range;

use formwork_tensor::rounded::{Columns, Product, Rows, SIDE, STEP};
use formwork_tensor::{Device, Kernel, Precision};

use super::block::{BLOCK, Block, Query, nothing, seen};
use super::slots::{Run, Slots};
use super::strips::NEAR;

/// Whether products of many rows are rounded on this device.
pub(crate) fn are_used(device: &Device) -> bool {
    device.precision() == Precision::Bf16 && device.simd().has_bf16()
}

/// Floats of scratch that laying out keys of width `e` and values of width `d` needs.
fn layout_len(e: usize, d: usize) -> usize {
    (2 * SIDE * e).max(STEP * d.max(e))
}

/// Floats of scratch that keys of width `e` and values of width `d` need.
pub(crate) fn scratch_len(e: usize, d: usize) -> usize {
    NEAR * BLOCK + layout_len(e, d)
}

/// What the products of one task multiply.
pub(super) struct Sides<'a> {
    queries: Rows<'a>,
    keys: Columns<'a>,
    weights: Rows<'a>,
    values: Columns<'a>,
    e: usize,
    d: usize,
}

impl<'a> Sides<'a> {
    /// Those of queries that share keys, and of values of width `d`.
    pub(super) fn new(device: &'a Device, queries: &[Query<'_>], d: usize) -> Self {
        let e = queries[0].q.len();
        let mut rows = Rows::new(device, queries.len(), e);
        queries.iter().enumerate().for_each(|(row, query)| rows.set(row, 0, query.q));
        Self {
            queries: rows,
            keys: Columns::new(device, e, BLOCK),
            weights: Rows::new(device, NEAR, BLOCK),
            values: Columns::new(device, BLOCK, d),
            e,
            d,
        }
    }

    /// Lays out the keys and values of the block that starts at slot `first`, of which `seen` are seen by any query.
    pub(super) fn lay_out(&mut self, [keys, values]: [Slots<'_>; 2], first: usize, seen: Range<usize>, scratch: &mut [f32]) {
        for slot in (seen.start / SIDE * SIDE..seen.end).step_by(SIDE) {
            let panel = keys.panel::<SIDE>(slot, &seen, self.e, scratch).as_chunks::<SIDE>().0;
            for (step, lanes) in panel.chunks(STEP).enumerate() {
                let mut inputs = [&[][..]; STEP];
                inputs.iter_mut().zip(lanes).for_each(|(input, lanes)| *input = lanes);
                let block = (slot - first) / SIDE;
                self.keys.set(block..block + 1, step, &inputs);
            }
        }
        for slot in (seen.start / STEP * STEP..seen.end).step_by(STEP) {
            self.lay_out_values(values, slot.max(seen.start)..(slot + STEP).min(seen.end), (slot - first) / STEP, scratch);
        }
    }

    /// Lays out the values of some slots of a step. The others may be anything in memory, and count as zeros.
    fn lay_out_values(&mut self, values: Slots<'_>, slots: Range<usize>, step: usize, mut scratch: &mut [f32]) {
        let mut inputs = [&[][..]; STEP];
        let mut slot = slots.start;
        while slot < slots.end {
            let count = values.run(slot, slots.end);
            let (here, rest) = scratch.split_at_mut(count * self.d.max(self.e));
            let Run { data, stride, offset } = values.rows::<SIDE>(slot, count, here);
            for (at, input) in inputs[slot % STEP..][..count].iter_mut().enumerate() {
                *input = &data[at * stride + offset..][..self.d];
            }
            (slot, scratch) = (slot + count, rest);
        }
        self.values.set(0..self.d.div_ceil(SIDE), step, &inputs);
    }
}

/// The kernel of one block whose keys and values are laid out.
pub(super) struct Tiled<'a, 's> {
    pub(super) block: Block<'a>,
    pub(super) sides: &'a mut Sides<'s>,
    /// The block's queries among those of the task; at most [`NEAR`].
    pub(super) rows: Range<usize>,
}

impl Kernel for Tiled<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize, const FMA: bool>(self) {
        let Self { mut block, sides, rows } = self;
        let (seen, width) = (seen(block.queries, block.first), sides.d + 2);
        if seen.is_empty() {
            return block.parts.chunks_exact_mut(width).for_each(nothing);
        }
        let count = rows.len();
        // From the start of a step on: the weights of slots before those seen become zeros.
        let steps = (seen.start - block.first) / STEP..(seen.end - block.first).div_ceil(STEP);
        let start = steps.start * STEP;
        let scores = Product {
            rows: &sides.queries,
            columns: &sides.keys,
            of_rows: rows,
            of_columns: (seen.start - block.first) / SIDE..(seen.end - block.first).div_ceil(SIDE),
            of_inputs: 0..sides.e.div_ceil(STEP),
        };
        scores.run(&mut block.scratch[..count * BLOCK], BLOCK);
        for row in 0..count {
            block.soften::<N, FMA>(row, &(block.first + start..seen.end));
            let end = (seen.end - block.first - start).next_multiple_of(N) + start;
            sides.weights.set(row, steps.start, &block.scratch[row * BLOCK..][start..end]);
        }
        let sums = Product {
            rows: &sides.weights,
            columns: &sides.values,
            of_rows: 0..count,
            of_columns: 0..sides.d.div_ceil(SIDE),
            of_inputs: steps,
        };
        sums.run(block.parts, width);
    }
}

#[cfg(test)]
mod tests {
    use formwork_tensor::{Context, Ids, Precision, Tensor, Tokens};

    use super::super::call::{Call, Form};
    use super::super::kernel::Attention;
    use super::super::mask::Mask;
    use super::super::slots::Source;
    use super::are_used;
    use crate::room::{CacheFormat, Room};
    use crate::row_cache::RowCache;

    const S: usize = 90;
    const H: usize = 5;
    /// Widths of a row, and of the value that it starts with.
    const WIDTHS: [usize; 2] = [41, 23];

    fn numbers(ctx: &Context, dims: &[usize]) -> Tensor {
        let count: usize = dims.iter().product();
        let data: Vec<f32> = (0..count).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 250.0 - 2.0).collect();
        ctx.from_slice(dims, &data)
    }

    #[test]
    fn rows_of_a_cache_are_keys_and_values_like_any() {
        let ctx = Context::open(Some(2), Precision::Bf16).unwrap();
        if !are_used(ctx.device()) {
            return;
        }
        let ([e, d], tokens) = (WIDTHS, Tokens::new(Ids::zeros(1, S), 0, None).unwrap());
        let attention = Attention::new(Mask::Causal, 0.1);
        let q = numbers(&ctx, &[1, S, H, e]);
        let seen = |slot: usize, _: Option<&[bool]>| slot.saturating_sub(60)..slot + 1;
        let forms = [Form { q: &q, seen: &seen }];
        for format in CacheFormat::ALL {
            let mut cache = RowCache::new(1, e, Room { tokens: S + 3, format });
            cache.append([1, S], [&numbers(&ctx, &[1, S, e])]);
            let [mut k, mut v] = [ctx.tensor(&[1, S, 1, e]), ctx.tensor(&[1, S, 1, d])];
            let pairs = k.data_mut().chunks_exact_mut(e).zip(v.data_mut().chunks_exact_mut(d));
            for (slot, (key, value)) in pairs.enumerate() {
                Source::Latents(&cache).read([0; 2], slot, key, value);
            }
            let [found, expected] = [Source::Latents(&cache), Source::Tensors(&k, &v)]
                .map(|source| Call { attention: &attention, forms: &forms, source, tokens: &tokens }.run(&ctx, 1, d));
            assert_eq!(found.data(), expected.data(), "{format:?}");
        }
    }
}
