//! The keys and values of earlier tokens: all of them, or a ring of the last ones.

use formwork_tensor::{Context, Tensor};

use super::appended::{New, Part};
use super::slots::Slots;
use crate::kept::Kept;
use crate::rope::Turns;
use crate::stored::{Stored, Layout, PANEL};
use crate::room::{CacheFormat, Room};

/// Keys `[B, K, rows, d_k]`, in panels, and values `[B, K, rows, d_v]`, in rows or pairs of them.
#[derive(Clone)]
pub struct KvCache {
    keys: Stored,
    values: Stored,
    batch: usize,
    heads: usize,
    widths: [usize; 2],
    /// Slots kept, whole panels; slot `j` stands in row `j % rows`.
    rows: usize,
    len: usize,
    room: Room,
}

impl KvCache {
    /// Room for so many tokens of `batch` sequences.
    pub fn new(batch: usize, n_kv_heads: usize, d_k: usize, d_v: usize, room: impl Into<Room>) -> Self {
        let room = room.into();
        Self::ring(batch, n_kv_heads, d_k, d_v, room.tokens, room)
    }

    /// Keeps the last tokens: at least `window` of them, where there is room for more.
    pub fn ring(
        batch: usize,
        n_kv_heads: usize,
        d_k: usize,
        d_v: usize,
        window: usize,
        room: impl Into<Room>,
    ) -> Self {
        let room = room.into();
        let rows = window.min(room.tokens).next_multiple_of(PANEL);
        let count = batch * n_kv_heads * rows;
        Self {
            keys: Stored::new(room.format, Layout::Panels, count, d_k),
            values: Stored::new(room.format, Layout::Pairs, count, d_v),
            batch,
            heads: n_kv_heads,
            widths: [d_k, d_v],
            rows,
            len: 0,
            room,
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

    /// The format of the numbers.
    pub fn format(&self) -> CacheFormat {
        self.room.format
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Whether `count` more tokens fit without dropping one that they see, where a token sees the last `reach` or all.
    pub(crate) fn keeps(&self, count: usize, reach: Option<usize>) -> bool {
        self.len + count <= self.rows || reach.is_some_and(|reach| reach + count <= self.rows + 1)
    }

    /// The first slot that is still there.
    pub(crate) fn oldest(&self) -> usize {
        self.len - self.len.min(self.rows)
    }

    /// A cache of what is kept and of keys `[B, S, K, d_k]` and values `[B, S, K, d_v]` after it.
    pub(crate) fn extended(&self, ctx: &Context, k: &Tensor, v: &Tensor) -> Self {
        let ([d_k, d_v], count) = (self.widths, k.shape()[1]);
        let mut all = Self::new(self.batch, self.heads, d_k, d_v, Room { tokens: self.rows + count, ..self.room });
        for head in 0..self.batch * self.heads {
            for slot in self.oldest()..self.len {
                let (from, to) = (head * self.rows + slot % self.rows, head * all.rows + slot % all.rows);
                all.keys.copy(to, &self.keys, from);
                all.values.copy(to, &self.values, from);
            }
        }
        all.len = self.len;
        all.room = self.room;
        all.append(ctx, k, v);
        all
    }

    /// The keys and values of one sequence and head.
    pub(crate) fn slots(&self, batch: usize, head: usize) -> [Slots<'_>; 2] {
        let first = (batch * self.heads + head) * self.rows;
        [&self.keys, &self.values].map(|kept| Slots::Stored(kept.rows(first, self.rows)))
    }

    /// Reads the key and the value of a slot that was not dropped.
    pub(crate) fn read(&self, [batch, head]: [usize; 2], slot: usize, key: &mut [f32], value: &mut [f32]) {
        let row = (batch * self.heads + head) * self.rows + slot % self.rows;
        self.keys.read(row, key);
        self.values.read(row, value);
    }

    /// Appends keys `[B, S, K, d_k]` and values `[B, S, K, d_v]`.
    pub(crate) fn append(&mut self, ctx: &Context, k: &Tensor, v: &Tensor) {
        self.write(ctx, k, v, None);
    }

    /// Appends the keys as they are once rotated; meanwhile the queries `[B, S, H, d_k]` of the same tokens rotate in place.
    pub(crate) fn append_rotated(&mut self, ctx: &Context, k: &Tensor, v: &Tensor, turns: &Turns, q: &mut Tensor) {
        self.write(ctx, k, v, Some((turns, q)));
    }

    fn write(&mut self, ctx: &Context, k: &Tensor, v: &Tensor, rotation: Option<(&Turns, &mut Tensor)>) {
        let [d_k, d_v] = self.widths;
        let [b, s, heads, _] = k.axes("kv_cache");
        assert_eq!((b, heads), (self.batch, self.heads), "keys of another batch or head count");
        assert_eq!(k.shape(), [b, s, heads, d_k], "keys of another width");
        assert_eq!(v.shape(), [b, s, heads, d_v], "values of another width");
        assert!(self.len + s <= self.room.tokens, "a cache of {} tokens is full", self.room.tokens);
        let new = New { first: self.len, rows: self.rows, turns: rotation.as_ref().map(|(turns, _)| *turns), k, v };
        let threads = ctx.device().threads();
        let mut work = k.data().len() + v.data().len();
        let mut parts = Vec::new();
        if let Some((_, q)) = rotation {
            work += q.data().len();
            parts.extend(Part::queries(q, threads.count()));
        }
        let slots = self.keys.pieces(self.rows).into_iter().zip(self.values.pieces(self.rows));
        parts.extend(slots.enumerate().map(|(head, (keys, values))| Part::Head { head, keys, values }));
        threads.parts(&mut parts, work, |part| new.place(part));
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
        let each = self.heads * self.rows;
        self.keys = self.keys.selected(each, rows);
        self.values = self.values.selected(each, rows);
        self.batch = rows.len();
    }

    fn bytes(&self) -> usize {
        self.keys.bytes() + self.values.bytes()
    }
}
