//! Several threads for one list of work.

use std::collections::VecDeque;
use std::thread;

use parking_lot::Mutex;

/// Does `work` for each of `items` with at most `threads` threads, and no more than there are
/// items. The results are in no particular order; of an item whose work panicked there is none.
pub(super) fn for_each<T: Send, R: Send>(
    items: Vec<T>,
    threads: usize,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let threads = threads.clamp(1, items.len().max(1));
    let queue = Mutex::new(VecDeque::from(items));
    let run = || {
        let mut results = Vec::new();
        loop {
            // Taken out in a statement of its own: the lock is free during the work.
            let Some(item) = queue.lock().pop_front() else { return results };
            results.push(work(item));
        }
    };
    if threads == 1 {
        return run();
    }
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    })
}
