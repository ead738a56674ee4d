//! One row of numbers for each earlier token, which all heads share.

use formwork_tensor::{Tensor, threads};

use crate::attention::slots::Slots;
use crate::kept::Kept;
use crate::room::Room;
use crate::stored::{Layout, Stored, StoredRows};

/// Rows `[B, tokens, width]`.
#[derive(Clone)]
pub struct RowCache {
    rows: Stored,
    width: usize,
    len: usize,
    room: Room,
}

impl RowCache {
    /// Room for so many tokens of `batch` sequences.
    pub fn new(batch: usize, width: usize, room: impl Into<Room>) -> Self {
        let room = room.into();
        Self { rows: Stored::new(room.format, Layout::Rows, batch * room.tokens, width), width, len: 0, room }
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
        let capacity = self.room.tokens;
        assert!(self.len + s <= capacity, "a cache of {capacity} tokens is full");
        let widths = parts.map(|part| part.data().len() / (b * s));
        assert_eq!(widths.iter().sum::<usize>(), self.width, "rows of another width");
        threads::scratch(self.width, |row| {
            for token in 0..b * s {
                let mut rest = &mut row[..];
                for (part, width) in parts.iter().zip(widths) {
                    let (head, tail) = rest.split_at_mut(width);
                    head.copy_from_slice(&part.data()[token * width..][..width]);
                    rest = tail;
                }
                self.rows.write(token / s * capacity + self.len + token % s, row);
            }
        });
        self.len += s;
    }

    /// The row of a token.
    pub(crate) fn read(&self, sequence: usize, slot: usize, out: &mut [f32]) {
        self.rows.read(sequence * self.room.tokens + slot, out);
    }

    /// The rows of one sequence, one for each token so far.
    pub(crate) fn rows(&self, sequence: usize) -> StoredRows<'_> {
        self.rows.rows(sequence * self.room.tokens, self.len)
    }

    /// The same as keys whose leading parts are the values.
    pub(crate) fn slots(&self, sequence: usize) -> Slots<'_> {
        Slots::Stored(self.rows(sequence))
    }
}

impl Kept for RowCache {
    fn truncate(&mut self, len: usize) -> bool {
        self.len = self.len.min(len);
        true
    }

    fn select(&mut self, rows: &[usize]) {
        self.rows = self.rows.selected(self.room.tokens, rows);
    }

    fn bytes(&self) -> usize {
        self.rows.bytes()
    }
}
