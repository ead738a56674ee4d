//! Where the keys or the values of one sequence and head are, by their slot.

use std::ops::Range;

use formwork_tensor::Tensor;
use formwork_tensor::lanes::Next;

use super::kv_cache::KvCache;
use crate::stored::{Codes, Layout, PANEL, StoredRows};
use crate::room::CacheFormat;
use crate::row_cache::RowCache;

/// Consecutive slots as floats.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    /// Whole strides.
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
    /// Where a row begins in its stride.
    pub(crate) offset: usize,
}

/// Keys or values by their slot.
#[derive(Clone, Copy)]
pub(crate) enum Slots<'a> {
    /// One every `stride` floats, from slot 0 on, that begins `offset` floats later.
    Spaced { data: &'a [f32], stride: usize, offset: usize },
    /// In a cache, in the row that is the remainder of the slot by the number of rows.
    Stored(StoredRows<'a>),
}

impl<'a> Slots<'a> {
    /// Those behind the first ones.
    pub(crate) fn skip(self, count: usize) -> Self {
        match self {
            Self::Spaced { data, stride, offset } => Self::Spaced { data: &data[count * stride..], stride, offset },
            Self::Stored(_) => {
                assert!(count == 0, "a cache holds a sequence a row");
                self
            }
        }
    }

    /// Whether sixteen keys stand side by side.
    pub(crate) fn are_panels(&self) -> bool {
        matches!(self, Self::Stored(rows) if rows.layout == Layout::Panels)
    }

    /// The slots as codes, where they are such and laid out for products of them.
    pub(crate) fn codes(self) -> Option<Codes<'a>> {
        match self {
            Self::Spaced { .. } => None,
            Self::Stored(rows) => rows.codes(),
        }
    }

    /// The length of the longest run from `first` on, at most to `last`, that lies in one piece.
    #[inline(always)]
    pub(crate) fn run(&self, first: usize, last: usize) -> usize {
        match self {
            Self::Spaced { .. } => last - first,
            Self::Stored(rows) => (last - first).min(rows.count - first % rows.count),
        }
    }

    /// What is read after `count` slots from `first` on, which lie in one piece.
    #[inline(always)]
    pub(crate) fn next(&self, first: usize, count: usize) -> Next {
        match self {
            Self::Spaced { data, .. } => Next::nothing(data),
            Self::Stored(rows) => rows.next(first % rows.count, count),
        }
    }

    /// Asks the memory for such a run where the slots lie side by side; only a hint.
    pub(crate) fn fetch(&self, first: usize, last: usize) {
        if let Self::Stored(rows) = self {
            rows.fetch(first % rows.count, self.run(first, last));
        }
    }

    /// Such a run as floats for kernels of `N` lanes. `scratch` holds `count` rows.
    #[inline(always)]
    pub(crate) fn rows<'s, const N: usize>(self, first: usize, count: usize, scratch: &'s mut [f32]) -> Run<'s>
    where
        'a: 's,
    {
        match self {
            Self::Spaced { data, stride, offset } => Run { data: &data[first * stride..][..count * stride], stride, offset },
            Self::Stored(rows) => {
                Run { data: rows.floats::<N>(first % rows.count, count, scratch), stride: rows.width, offset: 0 }
            }
        }
    }

    /// The panel of the slot `first`, a multiple of sixteen: `width` times sixteen floats. Where the keys are rows, those of
    /// `seen` alone are read, which lie in one piece; the other lanes repeat one of them. `scratch` holds as many floats, and as
    /// many again where keys are in a cache by rows.
    #[inline(always)]
    pub(crate) fn panel<'s, const N: usize>(self, first: usize, seen: &Range<usize>, width: usize, scratch: &'s mut [f32]) -> &'s [f32]
    where
        'a: 's,
    {
        if let Self::Stored(rows) = self
            && rows.layout == Layout::Panels
        {
            return rows.floats::<N>(first % rows.count, PANEL, scratch);
        }
        let (out, rest) = scratch.split_at_mut(width * PANEL);
        let slots = first.max(seen.start)..(first + PANEL).min(seen.end);
        let Run { data, stride, offset } = self.rows::<N>(slots.start, slots.len(), rest);
        let mut keys = [&data[..0]; PANEL];
        for (lane, key) in keys.iter_mut().enumerate() {
            let slot = (first + lane).clamp(slots.start, slots.end - 1);
            *key = &data[(slot - slots.start) * stride + offset..][..width];
        }
        for (at, lanes) in out.as_chunks_mut::<PANEL>().0.iter_mut().enumerate() {
            for lane in 0..PANEL {
                lanes[lane] = keys[lane][at];
            }
        }
        out
    }
}

/// The keys and values of an attention.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// `[B, T, K, e]` and `[B, T, K, d]`.
    Tensors(&'a Tensor, &'a Tensor),
    /// Those of this step and of all earlier ones.
    Cache(&'a KvCache),
    /// Rows that are keys, and whose leading parts are values; one key head.
    Latents(&'a RowCache),
}

impl<'a> Source<'a> {
    /// The keys and values of one sequence and key head.
    pub(crate) fn slots(self, sequence: usize, head: usize) -> [Slots<'a>; 2] {
        match self {
            Self::Tensors(k, v) => [k, v].map(|x| {
                let [_, t, heads, d] = x.axes("attention");
                Slots::Spaced { data: &x.data()[sequence * t * heads * d..], stride: heads * d, offset: head * d }
            }),
            Self::Cache(cache) => cache.slots(sequence, head),
            Self::Latents(cache) => [cache.slots(sequence); 2],
        }
    }

    /// Whether keys that are rows may be laid out in panels: wide rows are rather read as they are.
    pub(crate) fn can_lay_out(self) -> bool {
        matches!(self, Self::Tensors(..))
    }

    /// Whether keys and values are codes that are multiplied as they are.
    pub(crate) fn is_coded(self) -> bool {
        matches!(self, Self::Cache(cache) if cache.format() == CacheFormat::Q8)
    }

    /// The slots that are there.
    pub(crate) fn held(self) -> Range<usize> {
        match self {
            Self::Tensors(k, _) => 0..k.shape()[1],
            Self::Cache(cache) => cache.oldest()..cache.len(),
            Self::Latents(cache) => 0..cache.len(),
        }
    }

    /// Reads a key and its value.
    pub(crate) fn read(self, [sequence, head]: [usize; 2], slot: usize, key: &mut [f32], value: &mut [f32]) {
        match self {
            Self::Cache(cache) => cache.read([sequence, head], slot, key, value),
            Self::Tensors(k, v) => {
                for (x, to) in [(k, key), (v, value)] {
                    let [_, t, heads, d] = x.axes("attention");
                    to.copy_from_slice(&x.data()[((sequence * t + slot) * heads + head) * d..][..d]);
                }
            }
            Self::Latents(cache) => {
                cache.read(sequence, slot, key);
                value.copy_from_slice(&key[..value.len()]);
            }
        }
    }
}
