//! Tasks of many queries, which share what is made of a block of keys: tiles of bf16, or products with the vectors of distances.

use std::ops::Range;

use formwork_tensor::Device;

use super::block::{BLOCK, Block, Query, seen};
use super::by_distance::ByDistance;
use super::call::{Call, KeyHead};
use super::merge::Merge;
use super::tiles::{Sides, Tiled};

/// Queries of a task: as many as make up for what is made of keys and values.
pub(crate) const QUERIES: usize = 256;

/// Queries of a strip, whose scores of a block stay near.
pub(crate) const NEAR: usize = 64;

/// What the queries of a task share.
pub(super) struct Shared<'a> {
    pub(super) sides: Option<Sides<'a>>,
    pub(super) by_distance: Option<ByDistance<'a>>,
}

impl Call<'_> {
    /// As [`add`](Self::add), strip by strip.
    pub(super) fn add_in_strips(
        &self,
        device: &Device,
        of: KeyHead,
        queries: &[Query<'_>],
        blocks: Range<usize>,
        shared: Shared<'_>,
        [totals, parts, scratch]: [&mut [f32]; 3],
    ) {
        let Shared { mut sides, mut by_distance } = shared;
        let (simd, width) = (device.simd(), totals.len() / queries.len());
        let (d, slots) = (width - 2, self.slots(of));
        for block in blocks {
            let seen = seen(queries, block * BLOCK);
            if seen.is_empty() {
                continue;
            }
            if let Some(by_distance) = &mut by_distance {
                by_distance.meet_keys(simd, slots[0], block * BLOCK, &seen, queries.len());
            }
            if let Some(sides) = &mut sides {
                sides.lay_out(slots, block * BLOCK, seen, scratch);
            }
            for (at, totals) in totals.chunks_mut(NEAR * width).enumerate() {
                let rows = at * NEAR..at * NEAR + totals.len() / width;
                let (queries, parts) = (&queries[rows.clone()], &mut parts[..totals.len()]);
                let terms = by_distance.as_mut().and_then(|it| it.meet_queries(simd, block * BLOCK, rows.start, queries));
                let block = Block { terms, ..self.block(of, queries, block, scratch, parts) };
                match &mut sides {
                    Some(sides) => simd.run(Tiled { block, sides, rows }),
                    None => simd.run(block),
                }
                simd.run(Merge { totals, parts, d, apart: 0, blocks: 1 });
            }
        }
    }
}
