//! Memory aligned to cache lines, and the pool that hands it out again.
#![allow(unsafe_code, reason = "views a vector of aligned lines as floats or bytes")]

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::MmapMut;

/// One cache line of floats.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LANES]);

const LANES: usize = 16;

/// Bytes of a large page.
pub(crate) const LARGE: usize = 1 << 21;

/// Floats that start at a cache line. Always initialised.
pub(crate) struct Buffer {
    held: Held,
}

enum Held {
    Lines(Vec<Line>),
    /// The first bytes of a mapping, a whole number of lines.
    Mapped(MmapMut, usize),
}

impl Buffer {
    /// At least `len` zeros; many lie in large pages where the system has such.
    pub(crate) fn zeros(len: usize) -> Self {
        let lines = len.div_ceil(LANES);
        let bytes = lines * size_of::<Line>();
        // Linux starts a mapping of whole large pages at one. What is left behind the last stays in small pages, of which those
        // that nobody touches take no memory.
        let held = match (bytes >= LARGE).then(|| MmapMut::map_anon(bytes.next_multiple_of(LARGE))) {
            Some(Ok(map)) => {
                #[cfg(target_os = "linux")]
                // A system without large pages serves small ones.
                let _ = map.advise_range(memmap2::Advice::HugePage, 0, bytes / LARGE * LARGE);
                Held::Mapped(map, bytes)
            }
            _ => Held::Lines(vec![Line([0.0; LANES]); lines]),
        };
        Self { held }
    }

    /// Whether the system was asked for large pages.
    pub(crate) fn asks_large_pages(&self) -> bool {
        cfg!(target_os = "linux") && matches!(self.held, Held::Mapped(..))
    }

    pub(crate) fn capacity(&self) -> usize {
        self.floats().len()
    }

    pub(crate) fn floats(&self) -> &[f32] {
        let (start, bytes) = match &self.held {
            Held::Lines(lines) => (lines.as_ptr().cast(), size_of_val(lines.as_slice())),
            Held::Mapped(map, bytes) => (map.as_ptr(), *bytes),
        };
        // SAFETY: `Line` is `repr(C)` over 16 floats without padding (64 bytes, aligned to 64); a mapping starts at a page and
        // its bytes, zero at first, form floats.
        unsafe { std::slice::from_raw_parts(start.cast(), bytes / size_of::<f32>()) }
    }

    pub(crate) fn floats_mut(&mut self) -> &mut [f32] {
        let (start, bytes) = match &mut self.held {
            Held::Lines(lines) => (lines.as_mut_ptr().cast(), size_of_val(lines.as_slice())),
            Held::Mapped(map, bytes) => (map.as_mut_ptr(), *bytes),
        };
        // SAFETY: as in `floats`, and the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(start.cast(), bytes / size_of::<f32>()) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        let floats = self.floats();
        // SAFETY: every byte of a float is initialised and `u8` has no alignment.
        unsafe { std::slice::from_raw_parts(floats.as_ptr().cast(), size_of_val(floats)) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let floats = self.floats_mut();
        // SAFETY: as in `bytes`, the borrow is exclusive, and any bytes form valid floats.
        unsafe { std::slice::from_raw_parts_mut(floats.as_mut_ptr().cast(), size_of_val(floats)) }
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self { held: Held::Lines(Vec::new()) }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.capacity());
        copy.floats_mut().copy_from_slice(self.floats());
        copy
    }
}

/// Floats of the buffers that stay with a thread.
const SMALL: usize = 1 << 14;

thread_local! {
    /// Buffers of `SMALL` that this thread had lent and got back.
    static MINE: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// Free buffers by size class: a buffer that was dropped serves the next request of its class.
#[derive(Default)]
pub(crate) struct Pool {
    /// Sorted by class.
    free: Mutex<Vec<(usize, Vec<Buffer>)>>,
    allocations: AtomicUsize,
}

impl Pool {
    /// A buffer of at least `len` floats; its contents are unspecified.
    pub(crate) fn take(&self, len: usize) -> Buffer {
        let class = size_class(len);
        let mut free = self.free.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Ok(at) = free.binary_search_by_key(&class, |entry| entry.0)
            && let Some(buffer) = free[at].1.pop()
        {
            return buffer;
        }
        self.allocations.fetch_add(1, Ordering::Relaxed);
        Buffer::zeros(class)
    }

    /// The same until it is dropped. Small ones stay with the thread: memory that another core has written last is slow to write.
    pub(crate) fn lend(&self, len: usize) -> Lent<'_> {
        let buffer = match len {
            ..=SMALL => MINE.with_borrow_mut(Vec::pop).unwrap_or_else(|| Buffer::zeros(SMALL)),
            _ => self.take(len),
        };
        Lent { pool: self, buffer }
    }

    pub(crate) fn give(&self, buffer: Buffer) {
        let class = buffer.capacity();
        let mut free = self.free.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match free.binary_search_by_key(&class, |entry| entry.0) {
            Ok(at) => free[at].1.push(buffer),
            Err(at) => free.insert(at, (class, vec![buffer])),
        }
    }

    /// How many buffers were ever allocated but for those that stay with a thread.
    pub(crate) fn allocations(&self) -> usize {
        self.allocations.load(Ordering::Relaxed)
    }
}

/// A buffer of a pool, which gets it back.
pub(crate) struct Lent<'a> {
    pool: &'a Pool,
    buffer: Buffer,
}

impl Deref for Lent<'_> {
    type Target = Buffer;

    fn deref(&self) -> &Buffer {
        &self.buffer
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Buffer {
        &mut self.buffer
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        match buffer.capacity() {
            SMALL => MINE.with_borrow_mut(|mine| mine.push(buffer)),
            _ => self.pool.give(buffer),
        }
    }
}

/// Rounds up so that growing lengths share classes: eight classes between two powers of two.
fn size_class(len: usize) -> usize {
    let step = (len.next_power_of_two() / 16).max(LANES);
    len.max(1).next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::{Pool, size_class};

    #[test]
    fn classes_waste_little() {
        for len in 1..5000 {
            let class = size_class(len);
            assert!(class >= len && class.is_multiple_of(16) && class <= len + len / 8 + 16, "{len}: {class}");
            assert_eq!(size_class(class), class);
        }
    }

    #[test]
    fn a_given_buffer_is_taken_again() {
        let pool = Pool::default();
        let buffer = pool.take(100);
        pool.give(buffer);
        drop(pool.take(97));
        assert_eq!(pool.allocations(), 1);
    }
}
