//! Fetches that wait for one partition to get more data.
//!
//! Invariant: who registers and then looks at the partition sees every append that does not wake
//! it. The fences on both sides make sure of that: an append publishes the log's end and then
//! looks for waiters, a fetch registers and then looks at the log's end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The list is looked through for finished waiters when it has doubled, and not below this size.
const PURGE_MIN: usize = 16;

/// The waiters of one partition.
#[derive(Debug, Default)]
pub struct Waiters {
    count: AtomicUsize,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    waiters: Vec<Arc<Notify>>,
    purge_at: usize,
}

impl Waiters {
    /// Has `waiter` woken by every change, until nobody else holds it any more.
    pub fn register(&self, waiter: &Arc<Notify>) {
        let mut list = self.list.lock();
        if list.waiters.len() >= list.purge_at.max(PURGE_MIN) {
            list.waiters.retain(is_waiting);
            list.purge_at = 2 * list.waiters.len();
        }
        list.waiters.push(waiter.clone());
        self.count.store(list.waiters.len(), Ordering::Relaxed);
        drop(list);
        fence(Ordering::SeqCst);
    }

    /// Wakes all who wait. To be called after the change can be seen.
    pub fn wake_all(&self) {
        fence(Ordering::SeqCst);
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut list = self.list.lock();
        list.waiters.retain(|waiter| {
            let waits = is_waiting(waiter);
            if waits {
                waiter.notify_one();
            }
            waits
        });
        self.count.store(list.waiters.len(), Ordering::Relaxed);
    }
}

/// Only the list holds a waiter whose fetch has been answered.
fn is_waiting(waiter: &Arc<Notify>) -> bool {
    Arc::strong_count(waiter) > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiters_are_woken_until_they_are_dropped() {
        let waiters = Waiters::default();
        let waiter = Arc::new(Notify::new());
        waiters.register(&waiter);
        for _ in 0..2 {
            waiters.wake_all();
            waiter.notified().await;
        }
        drop(waiter);
        waiters.wake_all();
        assert_eq!(waiters.count.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn waiters_that_gave_up_do_not_pile_up() {
        let waiters = Waiters::default();
        let alive = Arc::new(Notify::new());
        waiters.register(&alive);
        for _ in 0..1000 {
            waiters.register(&Arc::new(Notify::new()));
        }
        let list = waiters.list.lock();
        assert!(list.waiters.len() <= PURGE_MIN + 1, "{}", list.waiters.len());
        assert!(Arc::ptr_eq(&list.waiters[0], &alive));
    }
}
