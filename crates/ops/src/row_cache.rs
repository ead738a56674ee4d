//! One row of numbers for each earlier token, which all heads share.

use formwork_tensor::Tensor;

use crate::attention::kv_cache::Segment;
use crate::kept::{Kept, selected};

/// Rows `[B, capacity, width]`.
#[derive(Clone)]
pub struct RowCache {
    rows: Vec<f32>,
    width: usize,
    len: usize,
    capacity: usize,
}

impl RowCache {
    /// Room for `capacity` tokens of `batch` sequences.
    pub fn new(batch: usize, width: usize, capacity: usize) -> Self {
        Self { rows: vec![0.0; batch * capacity * width], width, len: 0, capacity }
    }

    /// The number of tokens that went in.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no token went in.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends the `s` new tokens of each of `b` sequences; a row is the tokens' parts `[B, S, ..]` side by side.
    pub(crate) fn append<const N: usize>(&mut self, [b, s]: [usize; 2], parts: [&Tensor; N]) {
        assert!(self.len + s <= self.capacity, "a cache of {} tokens is full", self.capacity);
        let widths = parts.map(|part| part.data().len() / (b * s));
        assert_eq!(widths.iter().sum::<usize>(), self.width, "rows of another width");
        for token in 0..b * s {
            let at = token / s * self.capacity + self.len + token % s;
            let mut row = &mut self.rows[at * self.width..][..self.width];
            for (part, width) in parts.iter().zip(widths) {
                let (head, tail) = row.split_at_mut(width);
                head.copy_from_slice(&part.data()[token * width..][..width]);
                row = tail;
            }
        }
        self.len += s;
    }

    /// The rows of one sequence, one for each token so far.
    pub(crate) fn rows(&self, sequence: usize) -> &[f32] {
        &self.rows[sequence * self.capacity * self.width..][..self.len * self.width]
    }

    /// The rows of one sequence as keys whose leading parts are the values.
    pub(crate) fn segment(&self, sequence: usize) -> Segment<'_> {
        let rows = self.rows(sequence);
        Segment {
            keys: rows,
            values: rows,
            key_stride: self.width,
            value_stride: self.width,
            len: self.len,
            ..Segment::default()
        }
    }
}

impl Kept for RowCache {
    fn truncate(&mut self, len: usize) -> bool {
        self.len = self.len.min(len);
        true
    }

    fn select(&mut self, rows: &[usize]) {
        self.rows = selected(&self.rows, self.capacity * self.width, rows);
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.rows[..])
    }
}
