//! Tasks dealt out to threads.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Shares that are counted apart; more threads than that take from one share together.
const MOST: usize = 16;

/// Tasks dealt out in turn, as cards are: threads read the memory of neighbours at about the same time. A thread that is done with
/// its share takes from the others', so that counters in memory of other cores are touched at the end alone.
pub(crate) struct Shares {
    tasks: usize,
    count: usize,
    taken: [Taken; MOST],
}

/// How many tasks of a share are taken, on cache lines of its own.
#[repr(align(128))]
struct Taken(AtomicUsize);

/// The tasks that one thread gets.
pub(crate) struct Mine<'a> {
    shares: &'a Shares,
    thread: usize,
    /// Shares with nothing left, its own first.
    done: usize,
}

impl Shares {
    pub(crate) fn new(tasks: usize, threads: usize) -> Self {
        Self { tasks, count: threads.clamp(1, MOST), taken: [const { Taken(AtomicUsize::new(0)) }; MOST] }
    }

    /// The tasks of a thread, each of which no other gets.
    pub(crate) fn of(&self, thread: usize) -> Mine<'_> {
        Mine { shares: self, thread, done: 0 }
    }
}

impl Iterator for Mine<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let Shares { tasks, count, taken } = self.shares;
        while self.done < *count {
            let share = (self.thread + self.done) % count;
            let task = share + count * taken[share].0.fetch_add(1, Ordering::Relaxed);
            if task < *tasks {
                return Some(task);
            }
            self.done += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Shares;

    #[test]
    fn every_task_is_dealt_once() {
        for (tasks, threads) in [(0, 2), (1, 2), (7, 1), (7, 2), (8, 3), (100, 40)] {
            let shares = Shares::new(tasks, threads);
            let (mut first, mut second) = (shares.of(threads - 1), shares.of(0));
            let begun: Vec<usize> = first.by_ref().take(2).collect();
            let mut all: Vec<usize> = begun.into_iter().chain(second.by_ref()).chain(first).collect();
            all.sort_unstable();
            assert_eq!(all, (0..tasks).collect::<Vec<_>>());
            assert_eq!(second.next(), None);
        }
    }
}
