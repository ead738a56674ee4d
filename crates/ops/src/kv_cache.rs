//! The keys and values of earlier tokens: all of them, or a ring of the last ones.

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

    /// The bytes held.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.keys[..]) + size_of_val(&self.values[..])
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Forgets all but the first `len` tokens. Returns false, and changes nothing, where a ring
    /// has already dropped tokens that would be needed again.
    pub fn truncate(&mut self, len: usize) -> bool {
        let lossless = len >= self.len || self.len <= self.rows;
        if lossless {
            self.len = self.len.min(len);
        }
        lossless
    }
}
