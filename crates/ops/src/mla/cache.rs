//! The latents of earlier tokens and the rotated parts of their keys.

use formwork_tensor::Tensor;

use crate::attention::kv_cache::Segment;

/// Rows `[B, capacity, latent + rope]`.
#[derive(Clone)]
pub struct LatentCache {
    rows: Vec<f32>,
    widths: [usize; 2],
    len: usize,
    capacity: usize,
}

impl LatentCache {
    /// Room for `capacity` tokens of `batch` sequences.
    pub fn new(batch: usize, latent: usize, rope: usize, capacity: usize) -> Self {
        let rows = vec![0.0; batch * capacity * (latent + rope)];
        Self { rows, widths: [latent, rope], len: 0, capacity }
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
        size_of_val(&self.rows[..])
    }

    /// Appends latents `[B, S, c]` and rotated parts `[B, S, 1, r]`.
    pub(crate) fn append(&mut self, latent: &Tensor, rope: &Tensor) {
        let [c, r] = self.widths;
        let [b, s, _] = latent.axes("latent_cache");
        assert_eq!(latent.shape(), [b, s, c], "latents of another width");
        assert_eq!(rope.shape(), [b, s, 1, r], "rotated parts of another width");
        assert!(self.len + s <= self.capacity, "a cache of {} tokens is full", self.capacity);
        for token in 0..b * s {
            let at = token / s * self.capacity + self.len + token % s;
            let row = &mut self.rows[at * (c + r)..][..c + r];
            row[..c].copy_from_slice(&latent.data()[token * c..][..c]);
            row[c..].copy_from_slice(&rope.data()[token * r..][..r]);
        }
        self.len += s;
    }

    /// The rows of one sequence, one for each token so far.
    pub(crate) fn rows(&self, sequence: usize) -> &[f32] {
        let width = self.widths[0] + self.widths[1];
        &self.rows[sequence * self.capacity * width..][..self.len * width]
    }

    /// The rows of one sequence as keys whose leading parts are the values.
    pub(crate) fn segment(&self, sequence: usize) -> Segment<'_> {
        let (rows, stride) = (self.rows(sequence), self.widths[0] + self.widths[1]);
        Segment { keys: rows, values: rows, key_stride: stride, value_stride: stride, first: 0, len: self.len }
    }
}
