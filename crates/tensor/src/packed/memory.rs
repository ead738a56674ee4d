//! The memory of a packed matrix, filled by several threads.

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

    /// Whether the system was asked for large pages.
    pub(crate) fn asks_large_pages(&self) -> bool {
        self.buffer.asks_large_pages()
    }

    /// Fills pieces of `size` bytes on up to so many threads: `make(index, piece)`.
    pub(crate) fn fill(&mut self, threads: usize, size: usize, make: impl Fn(usize, &mut [u8]) + Sync) {
        let bytes = self.bytes_mut();
        let pieces = bytes.len() / size.max(1);
        let threads = if bytes.len() < LARGE { 1 } else { threads.max(1) };
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;
    use std::thread;

    use super::{LARGE, Memory};

    #[test]
    fn no_more_threads_fill_than_are_asked_for() {
        for threads in [1, 2, 3] {
            let (mut memory, seen) = (Memory::new(LARGE), Mutex::new(HashSet::new()));
            memory.fill(threads, 1 << 12, |index, piece| {
                piece.fill(index as u8);
                seen.lock().unwrap().insert(thread::current().id());
            });
            assert!(memory.bytes().chunks(1 << 12).enumerate().all(|(at, piece)| piece.iter().all(|x| *x == at as u8)));
            let seen = seen.into_inner().unwrap();
            assert_eq!(seen.len(), threads);
            assert_eq!(seen.contains(&thread::current().id()), threads == 1);
        }
    }
}
