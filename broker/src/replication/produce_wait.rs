//! A produce with `acks=all` that waits until all its records are durable.
//!
//! The log's sync threads call back once for each batch; the last call wakes the request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use storage::{Log, NotDurable};
use tokio::sync::Notify;

/// Batches of one request that are being made durable.
#[derive(Debug, Default)]
pub struct ProduceWait {
    shared: Arc<Shared>,
    batches: Vec<Batch>,
}

#[derive(Debug)]
struct Batch {
    log: Arc<Log>,
    end: i64,
    number: usize,
}

#[derive(Debug, Default)]
struct Shared {
    finished: AtomicUsize,
    wake: Notify,
    failed: Mutex<Vec<(usize, NotDurable)>>,
}

/// What became of the batches.
#[derive(Debug)]
pub struct Outcome {
    /// Numbers of the batches that will not become durable, and why.
    pub failed: Vec<(usize, NotDurable)>,
    /// Numbers of the batches that are not durable yet, though the time is over. They may become so.
    pub timed_out: Vec<usize>,
}

impl ProduceWait {
    /// Waits for everything before `end` in `log`; `number` names the batch in the outcome.
    pub fn add(&mut self, log: &Arc<Log>, end: i64, number: usize) {
        self.batches.push(Batch { log: log.clone(), end, number });
        let shared = self.shared.clone();
        log.when_durable(
            end,
            Box::new(move |result| {
                if let Err(error) = result {
                    shared.failed.lock().push((number, error));
                }
                shared.finished.fetch_add(1, Ordering::AcqRel);
                shared.wake.notify_one();
            }),
        );
    }

    /// Waits until all have finished or the time is over.
    pub async fn outcome(self, timeout: Duration) -> Outcome {
        let mut timed_out = Vec::new();
        if !self.is_finished() && self.wait(timeout).await.is_err() {
            let late = self.batches.iter().filter(|batch| batch.log.durable_end() < batch.end);
            timed_out.extend(late.map(|batch| batch.number));
        }
        let failed = std::mem::take(&mut *self.shared.failed.lock());
        Outcome { failed, timed_out }
    }

    async fn wait(&self, timeout: Duration) -> Result<(), tokio::time::error::Elapsed> {
        tokio::time::timeout(timeout, async {
            while !self.is_finished() {
                self.shared.wake.notified().await;
            }
        })
        .await
    }

    fn is_finished(&self) -> bool {
        self.shared.finished.load(Ordering::Acquire) >= self.batches.len()
    }
}
