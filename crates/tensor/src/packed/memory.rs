//! The memory of a packed matrix, filled on all processors.

use crate::buffer::{Buffer, LARGE};

/// Bytes that start at a cache line.
pub(crate) struct Memory {
    buffer: Buffer,
    len: usize,
}

impl Memory {
    /// `len` zeros.
    pub(crate) fn new(len: usize) -> Self {
        Self { buffer: Buffer::zeros(len.div_ceil(size_of::<f32>())), len }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer.bytes()[..self.len]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.bytes_mut()[..self.len]
    }

    /// Fills pieces of `size` bytes on all processors: `make(index, piece)`.
    pub(crate) fn fill(&mut self, size: usize, make: impl Fn(usize, &mut [u8]) + Sync) {
        let bytes = self.bytes_mut();
        let pieces = bytes.len() / size.max(1);
        let threads = if bytes.len() < LARGE { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
        let share = pieces.div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            for (first, part) in bytes.chunks_mut((share * size).max(1)).enumerate() {
                let make = &make;
                let mut work = move || {
                    part.chunks_exact_mut(size).enumerate().for_each(|(at, piece)| make(first * share + at, piece));
                };
                if threads == 1 { work() } else { drop(scope.spawn(work)) }
            }
        });
    }
}
