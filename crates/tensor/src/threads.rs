//! The one place that knows how work is spread over threads.
//!
//! Work is cut into tasks that own disjoint parts of the output, so results never depend on the
//! number of threads or on which of them ran a task.
#![allow(unsafe_code, reason = "hands disjoint parts of one output to several threads")]

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::Range;

use crate::pool::Pool;
use crate::shares::Shares;

/// Work below so many operations is not worth waking a thread for.
const SMALL: usize = 1 << 14;

/// Runs tasks on the calling thread and on the workers of a pool.
pub struct Threads {
    pool: Option<Pool>,
    count: usize,
}

impl Threads {
    /// `count` threads, the calling one included. Falls back to fewer if none can be started.
    pub fn new(count: usize) -> Self {
        let pool = (count > 1).then(|| Pool::new(count - 1)).filter(|pool| pool.workers() > 0);
        let count = pool.as_ref().map_or(1, |pool| pool.workers() + 1);
        Self { pool, count }
    }

    /// As many threads as the system lets this process run at once.
    pub fn available() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    /// The number of threads, the calling one included.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Runs `task(0)` to `task(tasks - 1)`, each once, in any order. Inside another run, or while another thread has one, they
    /// all run on the calling thread.
    pub fn run(&self, tasks: usize, task: impl Fn(usize) + Sync) {
        self.run_with(tasks, || (), |(), index| task(index));
    }

    /// The same with what every thread that gets a task makes first, for its own tasks.
    pub(crate) fn run_with<T>(&self, tasks: usize, make: impl Fn() -> T + Sync, task: impl Fn(&T, usize) + Sync) {
        let Some(pool) = self.pool.as_ref().filter(|_| tasks > 1) else {
            let made = make();
            return (0..tasks).for_each(|index| task(&made, index));
        };
        let shares = Shares::new(tasks, self.count);
        pool.run(&|thread| {
            let mut mine = shares.of(thread);
            if let Some(first) = mine.next() {
                let made = make();
                task(&made, first);
                mine.for_each(|index| task(&made, index));
            }
        });
    }

    /// Cuts `data` into pieces of `size` elements (the last may be shorter) and runs
    /// `task(index, piece)` on each.
    pub fn chunks<T: Send>(&self, data: &mut [T], size: usize, task: impl Fn(usize, &mut [T]) + Sync) {
        let size = size.max(1);
        let columns = Columns::new(data, 1, 1);
        self.run(columns.len.div_ceil(size), |index| {
            let start = index * size;
            let end = (start + size).min(columns.len);
            // SAFETY: tasks have distinct indices, so their ranges are disjoint.
            task(index, unsafe { columns.slice(start, end - start) });
        });
    }

    /// Runs `task` on each of some parts; `work` is about how many operations all of them cost.
    pub fn parts<T: Send>(&self, parts: &mut [T], work: usize, task: impl Fn(&mut T) + Sync) {
        if work < SMALL {
            parts.iter_mut().for_each(task);
        } else {
            self.chunks(parts, 1, |_, part| part.iter_mut().for_each(&task));
        }
    }

    /// As [`chunks`](Self::chunks) over whole rows of `width`, sized so that small inputs stay on
    /// the calling thread. `task(first_row, rows)`.
    pub fn rows(&self, data: &mut [f32], width: usize, task: impl Fn(usize, &mut [f32]) + Sync) {
        let rows = data.len() / width.max(1);
        let per_task = rows.div_ceil(self.count * 2).max(SMALL.div_ceil(width.max(1)));
        self.chunks(data, per_task * width, |index, piece| task(index * per_task, piece));
    }

    /// Visits an output `[outer, length, inner, width]` in blocks of `block` steps along `length`,
    /// for every `outer` and `inner`: `task(outer, inner, rows)`. `work` is about how many
    /// operations a row costs.
    pub fn grid(
        &self,
        data: &mut [f32],
        [outer, length, inner, width]: [usize; 4],
        block: usize,
        work: usize,
        task: impl Fn(usize, usize, GridRows) + Sync,
    ) {
        assert_eq!(data.len(), outer * length * inner * width, "the grid covers the output");
        let columns = Columns::new(data, inner, width);
        let blocks = length.div_ceil(block.max(1));
        let visit = |index: usize| {
            let (o, rest) = (index / (inner * blocks), index % (inner * blocks));
            let (i, start) = (rest / blocks, rest % blocks * block);
            let range = start..(start + block).min(length);
            task(o, i, GridRows { columns: &columns, base: o * length * inner + i, range });
        };
        let tasks = outer * inner * blocks;
        if outer * inner * length * work < SMALL {
            (0..tasks).for_each(visit);
        } else {
            self.run(tasks, visit);
        }
    }

    /// Visits an output `[length, inner, width]` in runs of steps, each behind the one before, for every `inner`:
    /// `task(run, inner, rows)`. `work` is about how many operations a row costs.
    pub fn runs(
        &self,
        data: &mut [f32],
        [inner, width]: [usize; 2],
        runs: &[Range<usize>],
        work: usize,
        task: impl Fn(usize, usize, GridRows) + Sync,
    ) {
        assert!(runs.windows(2).all(|two| two[0].end <= two[1].start), "runs do not overlap");
        let columns = Columns::new(data, inner, width);
        let visit = |index: usize| {
            let (run, i) = (index / inner, index % inner);
            task(run, i, GridRows { columns: &columns, base: i, range: runs[run].clone() });
        };
        let (tasks, steps) = (runs.len() * inner, runs.iter().map(Range::len).sum::<usize>());
        if inner * steps * work < SMALL {
            (0..tasks).for_each(visit);
        } else {
            self.run(tasks, visit);
        }
    }

    /// Cuts the columns of an output `[rows, width]` into blocks of `step`: `task(block)`.
    pub fn columns(&self, data: &mut [f32], width: usize, step: usize, task: impl Fn(ColumnBlock) + Sync) {
        let step = step.max(1);
        let columns = Columns::new(data, 1, width);
        self.run(width.div_ceil(step), |index| {
            let start = index * step;
            task(ColumnBlock { columns: &columns, range: start..(start + step).min(width) });
        });
    }
}

/// The columns of one task of [`Threads::columns`].
pub struct ColumnBlock<'a> {
    columns: &'a Columns<'a, f32>,
    range: Range<usize>,
}

impl ColumnBlock<'_> {
    /// The columns that belong to this task.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// This task's part of a row.
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &mut [f32] {
        // SAFETY: the column range is this task's alone, and `self` is borrowed exclusively.
        unsafe { self.columns.slice(row * self.columns.width + self.range.start, self.range.len()) }
    }
}

/// The rows of one task of [`Threads::grid`].
pub struct GridRows<'a> {
    columns: &'a Columns<'a, f32>,
    base: usize,
    range: Range<usize>,
}

impl GridRows<'_> {
    /// The steps along `length` that belong to this task.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The output row of a step of [`range`](Self::range).
    pub fn row(&mut self, step: usize) -> &mut [f32] {
        assert!(self.range.contains(&step), "row {step} belongs to another task");
        let row = self.base + step * self.columns.inner;
        // SAFETY: `base` and `range` are this task's alone, and `self` is borrowed exclusively.
        unsafe { self.columns.slice(row * self.columns.width, self.columns.width) }
    }
}

/// A mutable slice that several tasks write at disjoint places.
pub(crate) struct Columns<'a, T> {
    start: *mut T,
    len: usize,
    inner: usize,
    width: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: only `slice` gives access, and its contract demands disjoint ranges.
unsafe impl<T: Send> Sync for Columns<'_, T> {}

impl<'a, T> Columns<'a, T> {
    pub(crate) fn new(data: &'a mut [T], inner: usize, width: usize) -> Self {
        Self { start: data.as_mut_ptr(), len: data.len(), inner, width, slice: PhantomData }
    }

    /// # Safety
    /// No two live slices may overlap.
    #[allow(clippy::mut_from_ref, reason = "disjointness is the caller's promise")]
    pub(crate) unsafe fn slice(&self, start: usize, len: usize) -> &mut [T] {
        assert!(start + len <= self.len, "a task stays inside the output");
        // SAFETY: in bounds by the assertion, unaliased by the contract.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}

/// Lends a scratch row of `len` floats that belongs to the current thread; contents unspecified.
pub fn scratch<R>(len: usize, use_it: impl FnOnce(&mut [f32]) -> R) -> R {
    thread_local! {
        static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with(|scratch| {
        let mut row = scratch.take();
        if row.len() < len {
            row.resize(len.next_power_of_two(), 0.0);
        }
        let result = use_it(&mut row[..len]);
        scratch.replace(row);
        result
    })
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{SMALL, Threads};

    #[test]
    fn every_row_is_visited_once() {
        for count in [1, 2, 3] {
            let threads = Threads::new(count);
            let mut data = vec![0.0; 2 * 7 * 3 * 5];
            threads.grid(&mut data, [2, 7, 3, 5], 2, SMALL, |outer, inner, mut rows| {
                for step in rows.range() {
                    let value = (outer * 100 + step * 10 + inner) as f32;
                    rows.row(step).iter_mut().for_each(|x| *x += value);
                }
            });
            for (at, x) in data.iter().enumerate() {
                let row = at / 5;
                assert_eq!(*x, (row / 21 * 100 + row / 3 % 7 * 10 + row % 3) as f32);
            }
        }
    }

    #[test]
    fn runs_nest_and_come_from_several_threads() {
        let threads = Threads::new(3);
        let total = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        threads.run(5, |_| {
                            threads.run(3, |_| {
                                total.fetch_add(1, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), 3 * 200 * 15);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let threads = Threads::new(2);
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| threads.run(8, |index| assert_ne!(index, 5))));
        assert!(outcome.is_err());
        let total = AtomicUsize::new(0);
        threads.run(8, |index| {
            total.fetch_add(index, Ordering::Relaxed);
        });
        assert_eq!(total.into_inner(), 28);
    }

    #[test]
    fn every_part_is_visited_once() {
        for (count, work) in [(1, SMALL), (2, 0), (2, SMALL), (3, SMALL)] {
            let mut parts: Vec<(usize, usize)> = (0..11).map(|at| (at, 0)).collect();
            Threads::new(count).parts(&mut parts, work, |(at, visits)| *visits += *at + 1);
            assert!(parts.iter().all(|(at, visits)| *visits == at + 1));
        }
    }

    #[test]
    fn chunks_cover_everything() {
        let mut data = vec![0_usize; 103];
        Threads::new(2).chunks(&mut data, 10, |index, piece| piece.fill(index + 1));
        assert!(data.iter().enumerate().all(|(at, x)| *x == at / 10 + 1));
    }
}
