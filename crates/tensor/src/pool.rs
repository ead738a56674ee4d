//! Persistent workers that run one job at a time beside the thread that asks for it.
//!
//! A job is open while its caller works on it. Workers enter an open job, and the caller waits only
//! for those that entered, so a worker that the system has not woken yet delays nobody.
#![allow(unsafe_code, reason = "workers borrow the caller's job while it waits for them")]

use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a worker looks for the next job before it sleeps: longer than the gaps in a forward pass.
const PATIENCE: Duration = Duration::from_micros(200);

/// Set in [`Shared::state`] while no job is open; the other bits count workers inside.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// Called with the number of its thread: 0 for the caller.
type Job<'a> = &'a (dyn Fn(usize) + Sync);

struct Shared {
    state: AtomicUsize,
    /// Grows with every job.
    epoch: AtomicUsize,
    /// Valid while `state` is open.
    job: UnsafeCell<Option<Job<'static>>>,
    panicked: AtomicBool,
    stop: AtomicBool,
    sleeping: Vec<AtomicBool>,
    /// How long workers look for work: not at all where they would take the callers' processors.
    patience: Duration,
}

// SAFETY: `job` is written by the one caller (it holds the pool's lock) while the state is closed
// and empty, and read by workers that entered while it was open.
unsafe impl Sync for Shared {}

pub(crate) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held by the thread whose job runs.
    turn: Mutex<()>,
}

impl Pool {
    /// As many of `count` workers as can be started.
    pub(crate) fn new(count: usize) -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let patience = if count < processors { PATIENCE } else { Duration::ZERO };
        let shared = Arc::new(Shared {
            state: AtomicUsize::new(CLOSED),
            epoch: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            sleeping: (0..count).map(|_| AtomicBool::new(false)).collect(),
            patience,
        });
        let start = |index: usize| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("formwork".into()).spawn(move || shared.work(index)).ok()
        };
        let workers = (0..count).map_while(start).collect();
        Self { shared, workers, turn: Mutex::new(()) }
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Calls `job` on this thread and on every worker that comes in time; returns when all are done.
    ///
    /// # Panics
    /// If the job panics on any of them.
    pub(crate) fn run(&self, job: Job<'_>) {
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => return job(0),
        };
        let shared = &*self.shared;
        // SAFETY: `Open` waits for all workers that entered before this call returns or unwinds, so
        // none uses the job beyond its lifetime; the state is closed and empty now.
        unsafe {
            *shared.job.get() = Some(std::mem::transmute::<Job<'_>, Job<'static>>(job));
        }
        let open = Open { shared };
        shared.state.fetch_and(!CLOSED, Ordering::SeqCst);
        shared.epoch.fetch_add(1, Ordering::SeqCst);
        for (sleeping, worker) in shared.sleeping.iter().zip(&self.workers) {
            if sleeping.load(Ordering::SeqCst) {
                worker.thread().unpark();
            }
        }
        job(0);
        drop(open);
        assert!(!shared.panicked.swap(false, Ordering::Relaxed), "a task panicked on a worker");
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // Workers catch the panics of their jobs.
            let _ = worker.join();
        }
    }
}

/// An open job; closes it and waits for the workers inside, also on unwinding.
struct Open<'a> {
    shared: &'a Shared,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let state = &self.shared.state;
        state.fetch_or(CLOSED, Ordering::SeqCst);
        let mut spins = 0_u32;
        while state.load(Ordering::Acquire) != CLOSED {
            spins += 1;
            if spins < 20_000 { spin_loop() } else { thread::yield_now() }
        }
    }
}

impl Shared {
    /// The life of a worker.
    fn work(&self, index: usize) {
        let mut seen = 0;
        loop {
            seen = self.wait(index, seen);
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            if self.state.fetch_add(1, Ordering::SeqCst) & CLOSED == 0 {
                // SAFETY: the job was open when this worker entered and stays until it leaves.
                let job = unsafe { *self.job.get() };
                let outcome = catch_unwind(AssertUnwindSafe(|| job.iter().for_each(|job| job(index + 1))));
                if outcome.is_err() {
                    self.panicked.store(true, Ordering::Relaxed);
                }
            }
            self.state.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Returns the epoch when it is another than `seen`.
    fn wait(&self, index: usize, seen: usize) -> usize {
        let start = Instant::now();
        loop {
            for _ in 0..64 {
                let epoch = self.epoch.load(Ordering::SeqCst);
                if epoch != seen {
                    return epoch;
                }
                spin_loop();
            }
            if start.elapsed() >= self.patience {
                self.sleeping[index].store(true, Ordering::SeqCst);
                while self.epoch.load(Ordering::SeqCst) == seen {
                    thread::park();
                }
                self.sleeping[index].store(false, Ordering::SeqCst);
            }
        }
    }
}
