//! Anonymous memory, with large pages where the system has them.

use memmap2::MmapMut;

use crate::buffer::Buffer;

/// Below this, a page of its own gains nothing.
const LARGE: usize = 1 << 21;

/// Bytes that start at a cache line.
pub(crate) enum Memory {
    Mapped(MmapMut),
    Small(Buffer, usize),
}

impl Memory {
    /// `len` zeros. Large ones ask the system for large pages.
    pub(crate) fn new(len: usize) -> Self {
        match (len >= LARGE).then(|| MmapMut::map_anon(len)) {
            Some(Ok(map)) => {
                #[cfg(target_os = "linux")]
                let _ = map.advise(memmap2::Advice::HugePage); // A system without them serves small pages.
                Self::Mapped(map)
            }
            _ => Self::Small(Buffer::zeros(len.div_ceil(4)), len),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Small(buffer, len) => &buffer.bytes()[..*len],
        }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Small(buffer, len) => &mut buffer.bytes_mut()[..*len],
        }
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
