//! The keys and values of earlier tokens: all of them, or a ring of the last ones.

use formwork_tensor::Tensor;

use crate::kept::{Kept, selected};

/// Keys and values of consecutive slots of one sequence and head.
#[derive(Clone, Copy, Default)]
pub(crate) struct Segment<'a> {
    /// What the query is for these keys, where it is not the row's own.
    pub(crate) q: Option<&'a [f32]>,
    pub(crate) keys: &'a [f32],
    pub(crate) values: &'a [f32],
    /// From one slot to the next.
    pub(crate) key_stride: usize,
    pub(crate) value_stride: usize,
    /// The first slot.
    pub(crate) first: usize,
    pub(crate) len: usize,
}

/// Keys `[B, K, rows, d_k]` and values `[B, K, rows, d_v]`.
#[derive(Clone)]
pub struct KvCache {
    keys: Vec<f32>,
    values: Vec<f32>,
    batch: usize,
    heads: usize,
    widths: [usize; 2],
    /// Slots kept; slot `j` stands in row `j % rows`.
    rows: usize,
    len: usize,
    capacity: usize,
}

impl KvCache {
    /// Room for `capacity` tokens of `batch` sequences.
    pub fn new(batch: usize, n_kv_heads: usize, d_k: usize, d_v: usize, capacity: usize) -> Self {
        Self::ring(batch, n_kv_heads, d_k, d_v, capacity, capacity)
    }

    /// Keeps the last `min(window, capacity)` tokens.
    pub fn ring(
        batch: usize,
        n_kv_heads: usize,
        d_k: usize,
        d_v: usize,
        window: usize,
        capacity: usize,
    ) -> Self {
        let rows = window.min(capacity);
        let count = batch * n_kv_heads * rows;
        Self {
            keys: vec![0.0; count * d_k],
            values: vec![0.0; count * d_v],
            batch,
            heads: n_kv_heads,
            widths: [d_k, d_v],
            rows,
            len: 0,
            capacity,
        }
    }

    /// The number of tokens that went in.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no token went in.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether everything that the token after the first `len` sees is still there.
    pub(crate) fn holds_first(&self, len: usize) -> bool {
        len >= self.len || self.len <= self.rows
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Whether `count` more tokens fit without dropping one.
    pub(crate) fn keeps_all(&self, count: usize) -> bool {
        self.len + count <= self.rows
    }

    /// The kept slots of one sequence and head, in order: the older part of a ring, then the newer.
    pub(crate) fn segments(&self, batch: usize, head: usize) -> [Segment<'_>; 2] {
        let oldest = self.len - self.len.min(self.rows);
        let turn = oldest.next_multiple_of(self.rows.max(1)).min(self.len);
        [
            self.segment(batch, head, oldest, turn),
            self.segment(batch, head, turn, self.len),
        ]
    }

    /// Slots `first..last`, which do not wrap.
    pub(crate) fn segment(&self, batch: usize, head: usize, first: usize, last: usize) -> Segment<'_> {
        let [d_k, d_v] = self.widths;
        let base = (batch * self.heads + head) * self.rows + first % self.rows.max(1);
        let len = last - first;
        Segment {
            q: None,
            keys: &self.keys[base * d_k..][..len * d_k],
            values: &self.values[base * d_v..][..len * d_v],
            key_stride: d_k,
            value_stride: d_v,
            first,
            len,
        }
    }

    /// Appends keys `[B, S, K, d_k]` and values `[B, S, K, d_v]`.
    pub(crate) fn append(&mut self, k: &Tensor, v: &Tensor) {
        let [d_k, d_v] = self.widths;
        let [b, s, heads, _] = k.axes("kv_cache");
        assert_eq!(
            (b, heads),
            (self.batch, self.heads),
            "keys of another batch or head count"
        );
        assert_eq!(k.shape(), [b, s, heads, d_k], "keys of another width");
        assert_eq!(v.shape(), [b, s, heads, d_v], "values of another width");
        assert!(
            self.len + s <= self.capacity,
            "a cache of {} tokens is full",
            self.capacity
        );
        let kept = s.min(self.rows);
        for sequence in 0..b {
            for step in s - kept..s {
                for head in 0..heads {
                    let from = (sequence * s + step) * heads + head;
                    let row = (self.len + step) % self.rows;
                    let to = (sequence * heads + head) * self.rows + row;
                    self.keys[to * d_k..][..d_k].copy_from_slice(&k.data()[from * d_k..][..d_k]);
                    self.values[to * d_v..][..d_v].copy_from_slice(&v.data()[from * d_v..][..d_v]);
                }
            }
        }
        self.len += s;
    }
}

impl Kept for KvCache {
    /// False where a ring has already dropped tokens that would be needed again.
    fn truncate(&mut self, len: usize) -> bool {
        let lossless = self.holds_first(len);
        if lossless {
            self.len = self.len.min(len);
        }
        lossless
    }

    fn select(&mut self, rows: &[usize]) {
        let [d_k, d_v] = self.widths.map(|width| self.heads * self.rows * width);
        self.keys = selected(&self.keys, d_k, rows);
        self.values = selected(&self.values, d_v, rows);
        self.batch = rows.len();
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.keys[..]) + size_of_val(&self.values[..])
    }
}
