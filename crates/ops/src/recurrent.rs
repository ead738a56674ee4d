//! State that does not grow with the sequence: as many numbers for each sequence and head, whatever came before.

use formwork_tensor::{Context, Tensor, Tokens};

use crate::kept::{Kept, selected};

/// Numbers `[B, H, size]`, zeros before the first token.
#[derive(Clone)]
pub struct RecurrentState {
    data: Vec<f32>,
    heads: usize,
    size: usize,
    len: usize,
}

impl RecurrentState {
    /// `size` numbers for each of `heads` heads of `batch` sequences.
    pub fn new(batch: usize, heads: usize, size: usize) -> Self {
        Self { data: vec![0.0; batch * heads * size], heads, size, len: 0 }
    }

    /// The number of tokens that went in.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no token went in.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Panics unless exactly the tokens before `tokens` went in.
    pub(crate) fn expect_before(&self, tokens: &Tokens) {
        assert_eq!(tokens.past, self.len, "the state holds the tokens of earlier steps");
    }

    /// The numbers of one sequence.
    pub(crate) fn sequence(&self, sequence: usize) -> &[f32] {
        let size = self.heads * self.size;
        &self.data[sequence * size..][..size]
    }

    /// The numbers of one sequence, for writing.
    pub(crate) fn sequence_mut(&mut self, sequence: usize) -> &mut [f32] {
        let size = self.heads * self.size;
        &mut self.data[sequence * size..][..size]
    }

    /// Counts `tokens` more.
    pub(crate) fn advance(&mut self, tokens: usize) {
        self.len += tokens;
    }

    /// Runs `task(sequence, head, state, rows)` for every head, where `rows` is `[S, d]`; the result is `[B, S, H, d]`.
    pub(crate) fn run(
        &mut self,
        ctx: &Context,
        [b, s, d]: [usize; 3],
        task: impl Fn(usize, usize, &mut [f32], &mut [f32]) + Sync,
    ) -> Tensor {
        let (heads, size) = (self.heads, self.size);
        assert_eq!(self.data.len(), b * heads * size, "a state of another batch");
        let mut work = ctx.tensor(&[b * heads, size + s * d]);
        let pieces = work.data_mut().chunks_exact_mut(size + s * d);
        for (piece, state) in pieces.zip(self.data.chunks_exact(size)) {
            piece[..size].copy_from_slice(state);
        }
        ctx.device().threads().chunks(work.data_mut(), size + s * d, |index, piece| {
            let (state, rows) = piece.split_at_mut(size);
            task(index / heads, index % heads, state, rows);
        });
        let mut y = ctx.tensor(&[b, s, heads, d]);
        let pieces = work.data().chunks_exact(size + s * d);
        for (index, (piece, state)) in pieces.zip(self.data.chunks_exact_mut(size)).enumerate() {
            state.copy_from_slice(&piece[..size]);
            for (step, row) in piece[size..].chunks_exact(d).enumerate() {
                let to = ((index / heads * s + step) * heads + index % heads) * d;
                y.data_mut()[to..][..d].copy_from_slice(row);
            }
        }
        self.len += s;
        y
    }
}

impl Kept for RecurrentState {
    /// The numbers of an earlier token are gone; only the beginning is known.
    fn truncate(&mut self, len: usize) -> bool {
        if len == 0 {
            self.data.fill(0.0);
            self.len = 0;
        }
        len == 0 || len >= self.len
    }

    fn select(&mut self, rows: &[usize]) {
        self.data = selected(&self.data, self.heads * self.size, rows);
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.data[..])
    }
}
