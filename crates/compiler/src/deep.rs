//! Threads whose stack is deep enough for every spec that passes the bounds on nesting, whatever thread the caller runs on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Address space for the stack; only what is used is backed by memory.
const STACK: usize = 256 << 20;

/// Calls `work` on a thread of its own, or directly where the system gives none.
pub(crate) fn call<T: Send>(work: impl Fn() -> T + Send + Sync) -> T {
    let result = thread::scope(|scope| {
        let spawned = builder().spawn_scoped(scope, &work);
        spawned.map(|handle| handle.join())
    });
    match result {
        Ok(Ok(value)) => value,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(_) => work(),
    }
}

/// Applies `work` to every item, on as many threads as the machine runs at once; the results in the items' order.
pub(crate) fn each<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let take = || {
        let at = next.fetch_add(1, Ordering::Relaxed);
        items.get(at).map(|item| (at, work(item)))
    };
    let share = || std::iter::from_fn(take).collect::<Vec<_>>();
    let others = thread::available_parallelism().map_or(1, usize::from).min(items.len()).saturating_sub(1);
    let mut done = thread::scope(|scope| {
        let spawned: Vec<_> = (0..others).filter_map(|_| builder().spawn_scoped(scope, share).ok()).collect();
        let mut done = share();
        for thread in spawned {
            done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

fn builder() -> thread::Builder {
    thread::Builder::new().name("formwork".into()).stack_size(STACK)
}
