//! Relative position bias in logarithmic buckets, added to attention scores.

use formwork_tensor::{Context, Param, Tensor, Tokens};

/// One learned number per bucket of distance and head.
#[derive(Clone)]
pub struct RelativeBias {
    /// `[buckets, H]`.
    weight: Vec<f32>,
    buckets: usize,
    heads: usize,
    bidirectional: bool,
    max_distance: usize,
}

impl RelativeBias {
    /// Over a table `[buckets, H]`.
    pub fn new(weight: &Param, bidirectional: bool, max_distance: usize) -> Self {
        let &[buckets, heads] = weight.shape() else {
            panic!("a table of buckets and heads")
        };
        let weight = weight.to_f32().into_owned();
        Self {
            weight,
            buckets,
            heads,
            bidirectional,
            max_distance,
        }
    }

    /// The bias `[H, S + T - 1]` of the new queries on all keys so far, by distance: from the first key seen from the last query to the
    /// last key seen from the first.
    pub fn forward(&self, ctx: &Context, queries: &Tokens, keys: &Tokens) -> Tensor {
        let (count, last) = (queries.len() + keys.slots() - 1, queries.slots() - 1);
        let buckets: Vec<usize> = (0..count).map(|key| self.bucket(last, key)).collect();
        let mut bias = ctx.tensor(&[self.heads, count]);
        for (head, row) in bias.data_mut().chunks_exact_mut(count).enumerate() {
            for (value, bucket) in row.iter_mut().zip(&buckets) {
                *value = self.weight[bucket * self.heads + head];
            }
        }
        bias
    }

    /// The bucket of a query that looks at a key.
    fn bucket(&self, query: usize, key: usize) -> usize {
        let ahead = self.bidirectional && key > query;
        let buckets = if self.bidirectional {
            self.buckets / 2
        } else {
            self.buckets
        };
        let distance = match self.bidirectional {
            true => query.abs_diff(key),
            false => query.saturating_sub(key),
        };
        let first = if ahead { buckets } else { 0 };
        let exact = buckets / 2;
        if distance < exact {
            return first + distance;
        }
        let ratio = (distance as f32 / exact as f32).ln() as f64;
        let span = (self.max_distance as f64 / exact as f64).ln();
        let step = (ratio as f32 / span as f32 * (buckets - exact) as f32) as usize;
        first + (exact + step).min(buckets - 1)
    }
}
