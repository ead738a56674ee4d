//! What content and distance say about each other: products of queries and keys with the vectors of distances. They are made for the
//! distances of one block, and added to its scores.

use std::ops::Range;

use formwork_tensor::{Simd, Tensor};

use super::block::{BLOCK, Query, Scores, seen};
use super::distances::Distances;
use super::slots::Slots;
use super::strips::NEAR;
use crate::stored::PANEL;

/// Floats from one row of keys' products to the next: not a power of two, so that a diagonal of them stays in the first-level cache.
const OF_KEYS: usize = BLOCK + PANEL;

/// The vectors of distances, `[R, H, e]`.
#[derive(Clone, Copy)]
pub(crate) struct Tables<'a> {
    pub(crate) distances: Distances,
    /// What queries meet.
    pub(crate) of_queries: Option<&'a Tensor>,
    /// What keys meet.
    pub(crate) of_keys: Option<&'a Tensor>,
}

/// The vectors of one head, and memory for products with them.
pub(crate) struct ByDistance<'a> {
    of_queries: Option<Table<'a>>,
    of_keys: Option<Table<'a>>,
    /// [`Distances::rows`].
    rows: &'a [u32],
    /// The slot of the task's first query.
    query: usize,
    /// Products of a block's keys with the rows from the first one on.
    keys: &'a mut [f32],
    first: usize,
    /// Products of a strip's queries.
    queries: &'a mut [f32],
    scratch: &'a mut [f32],
}

/// The vectors of one head.
#[derive(Clone, Copy)]
struct Table<'a> {
    data: &'a [f32],
    /// Floats of a row, of which the head's are `width` from `offset` on.
    stride: usize,
    offset: usize,
    width: usize,
}

/// What the distances of a block add to its scores.
#[derive(Clone)]
pub(crate) struct Terms<'a> {
    rows: &'a [u32],
    /// The slots that are seen, and the first one of the block.
    seen: Range<usize>,
    block: usize,
    /// The slot of the first query.
    query: usize,
    /// Products of queries: the first row, the floats of a query, and the floats.
    of_queries: Option<(usize, usize, &'a [f32])>,
    /// Products of keys: the first row, and [`OF_KEYS`] floats for each.
    of_keys: Option<(usize, &'a [f32])>,
}

impl<'a> Tables<'a> {
    /// How many distances a block and so many queries may be apart, as far as there are rows for them.
    fn most(&self, queries: usize) -> usize {
        let rows = |table: Option<&Tensor>| table.map_or(0, |table| table.shape()[0]);
        rows(self.of_queries).max(rows(self.of_keys)).min(queries + BLOCK - 1)
    }

    /// Floats of memory that each of a head's products take for so many queries of width `e`, and of scratch.
    fn lengths(&self, queries: usize, e: usize) -> [usize; 3] {
        let near = NEAR.min(queries);
        let row = (self.most(near) + PANEL).next_multiple_of(PANEL);
        let of_keys = self.of_keys.map_or(0, |_| self.most(queries) * OF_KEYS);
        [of_keys, self.of_queries.map_or(0, |_| near * row), 2 * PANEL * e]
    }

    /// Floats of memory that a head and so many queries of width `e` need.
    pub(crate) fn memory_len(&self, queries: usize, e: usize) -> usize {
        self.lengths(queries, e).iter().sum()
    }

    /// Those of a head, for queries of width `e` at these slots. `rows` are those of the distances.
    pub(crate) fn of_head<'s>(&self, head: usize, e: usize, rows: &'s [u32], queries: Range<usize>, memory: &'s mut [f32]) -> ByDistance<'s>
    where
        'a: 's,
    {
        let [of_keys, of_queries, _] = self.lengths(queries.len(), e);
        let (keys, rest) = memory.split_at_mut(of_keys);
        let (of_strip, scratch) = rest.split_at_mut(of_queries);
        let table = |table: &'a Tensor| Table { data: table.data(), stride: table.shape()[1] * e, offset: head * e, width: e };
        let [of_queries, of_keys] = [self.of_queries, self.of_keys].map(|it| it.map(table));
        ByDistance { of_queries, of_keys, rows, query: queries.start, keys, first: 0, queries: of_strip, scratch }
    }
}

impl<'a> Table<'a> {
    fn slots(self) -> Slots<'a> {
        Slots::Spaced { data: self.data, stride: self.stride, offset: self.offset }
    }

    fn rows(self, rows: Range<usize>) -> Vec<Query<'a>> {
        rows.map(|row| Query::plain(&self.data[row * self.stride + self.offset..][..self.width])).collect()
    }
}

impl ByDistance<'_> {
    /// The rows of the distances between queries and keys at these slots.
    fn reached(&self, queries: Range<usize>, keys: &Range<usize>) -> Range<usize> {
        let same = self.rows.len() / 2;
        let [last, first] = [same + keys.start + 1 - queries.end, same + keys.end - 1 - queries.start].map(|at| self.rows[at] as usize);
        first..last + 1
    }

    /// Makes the products of the keys of a block that any of so many queries sees.
    pub(crate) fn meet_keys(&mut self, simd: Simd, keys: Slots<'_>, block: usize, seen: &Range<usize>, queries: usize) {
        let Some(table) = self.of_keys else { return };
        let reached = self.reached(self.query..self.query + queries, seen);
        self.first = reached.start;
        let (rows, seen) = (&table.rows(reached), seen.clone());
        let (scores, scratch) = (&mut *self.keys, &mut *self.scratch);
        simd.run(Scores { rows, slots: keys, seen, first: block, stride: OF_KEYS, scores, scratch });
    }

    /// What is added to the scores of a strip, whose first query is number `row`, on the keys of the block. None if it sees none.
    pub(crate) fn meet_queries(&mut self, simd: Simd, block: usize, row: usize, queries: &[Query<'_>]) -> Option<Terms<'_>> {
        let (seen, query) = (seen(queries, block), self.query + row);
        if seen.is_empty() {
            return None;
        }
        let reached = self.reached(query..query + queries.len(), &seen);
        let of_queries = self.of_queries.map(|table| {
            let first = reached.start - reached.start % PANEL;
            let stride = (reached.end - first).next_multiple_of(PANEL);
            let (scores, scratch) = (&mut *self.queries, &mut *self.scratch);
            simd.run(Scores { rows: queries, slots: table.slots(), seen: reached, first, stride, scores, scratch });
            (first, stride, &*self.queries)
        });
        let of_keys = self.of_keys.map(|_| (self.first, &*self.keys));
        Some(Terms { rows: self.rows, seen, block, query, of_queries, of_keys })
    }
}

impl Terms<'_> {
    /// Adds to the scores of a query on the keys from slot `start` on.
    #[inline(always)]
    pub(crate) fn add(&self, query: usize, scores: &mut [f32], start: usize) {
        let count = self.seen.len();
        let scores = &mut scores[self.seen.start - start..][..count];
        let rows = &self.rows[self.rows.len() / 2 + self.seen.start - self.query - query..][..count];
        if let Some((first, stride, products)) = self.of_queries {
            let products = &products[query * stride..][..stride];
            for (score, row) in scores.iter_mut().zip(rows) {
                *score += products[*row as usize - first];
            }
        }
        if let Some((first, products)) = self.of_keys {
            for (key, (score, row)) in scores.iter_mut().zip(rows).enumerate() {
                *score += products[(*row as usize - first) * OF_KEYS + self.seen.start - self.block + key];
            }
        }
    }
}
