//! What happens to new tokens on their way into a cache, in one region of the threads.

use formwork_tensor::{Tensor, threads};

use crate::rope::Turns;
use crate::stored::StoredRowsMut;

/// New keys `[B, S, K, d_k]` and values `[B, S, K, d_v]`.
pub(crate) struct New<'a> {
    /// The slot of the first token.
    pub(crate) first: usize,
    /// The rows of a sequence and head, of which a slot has the one that is its remainder.
    pub(crate) rows: usize,
    /// How keys and queries rotate, where they do.
    pub(crate) turns: Option<&'a Turns>,
    pub(crate) k: &'a Tensor,
    pub(crate) v: &'a Tensor,
}

/// What one task does.
pub(crate) enum Part<'a> {
    /// Rotates the queries of some tokens, of so many heads each.
    Queries { first: usize, rows: &'a mut [f32], heads: usize },
    /// Writes the keys and values of a sequence and head.
    Head { head: usize, keys: StoredRowsMut<'a>, values: StoredRowsMut<'a> },
}

impl<'a> Part<'a> {
    /// Queries `[B, S, H, d_k]`, cut for so many threads.
    pub(crate) fn queries(q: &'a mut Tensor, threads: usize) -> impl Iterator<Item = Self> {
        let [b, s, heads, width] = q.axes("rope");
        let each = (b * s).div_ceil(2 * threads).max(1);
        let pieces = q.data_mut().chunks_mut(each * heads * width).enumerate();
        pieces.map(move |(at, rows)| Self::Queries { first: at * each, rows, heads })
    }
}

impl New<'_> {
    pub(crate) fn place(&self, part: &mut Part<'_>) {
        match part {
            Part::Queries { first, rows, heads } => {
                if let Some(turns) = self.turns {
                    turns.rotate_all(*first, rows, *heads);
                }
            }
            Part::Head { head, keys, values } => self.write(*head, keys, values),
        }
    }

    /// Writes those of the last tokens that there are rows for.
    fn write(&self, head: usize, keys: &mut StoredRowsMut<'_>, values: &mut StoredRowsMut<'_>) {
        let ([_, s, heads, d_k], [_, _, _, d_v]) = (self.k.axes("kv_cache"), self.v.axes("kv_cache"));
        let (sequence, head) = (head / heads, head % heads);
        for step in s - s.min(self.rows)..s {
            let (token, row) = (sequence * s + step, (self.first + step) % self.rows);
            let from = token * heads + head;
            let key = &self.k.data()[from * d_k..][..d_k];
            match self.turns {
                Some(turns) => threads::scratch(d_k, |rotated| {
                    rotated.copy_from_slice(key);
                    turns.rotate(token, rotated);
                    keys.write(row, rotated);
                }),
                None => keys.write(row, key),
            }
            values.write(row, &self.v.data()[from * d_v..][..d_v]);
        }
    }
}
