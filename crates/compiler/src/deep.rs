//! A stack that is deep enough for every spec that passes the bounds on nesting, whatever thread the caller runs on.

use std::thread;

/// Address space for the stack; only what is used is backed by memory.
const STACK: usize = 256 << 20;

/// Calls `work` on a thread of its own, or directly where the system gives none.
pub(crate) fn call<T: Send>(work: impl Fn() -> T + Send + Sync) -> T {
    let result = thread::scope(|scope| {
        let spawned = thread::Builder::new().name("formwork".into()).stack_size(STACK).spawn_scoped(scope, &work);
        spawned.map(|handle| handle.join())
    });
    match result {
        Ok(Ok(value)) => value,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(_) => work(),
    }
}
