//! What the shards need of the partitions of `__consumer_offsets`.

use bytes::Bytes;
use protocol_codec::ErrorCode;
use thiserror::Error;

/// Why a batch did not become durable. Its shard is dropped and loaded again.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum AppendError {
    /// The broker does not lead the partition, or not in this epoch.
    #[error("this broker does not lead the partition in this epoch")]
    NotLeader,
    /// Too few replicas, or they did not take it in time.
    #[error("the batch was not replicated in time")]
    NotReplicated,
    /// The log takes no writes: disk full, directory offline.
    #[error("the log cannot be written: {0}")]
    Storage(String),
}

impl AppendError {
    /// What waiting clients are told: look the coordinator up again, or just try again.
    pub(super) fn error_code(&self) -> ErrorCode {
        match self {
            AppendError::NotLeader | AppendError::Storage(_) => ErrorCode::NotCoordinator,
            AppendError::NotReplicated => ErrorCode::CoordinatorNotAvailable,
        }
    }
}

/// Why a partition could not be loaded.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum ReplayError {
    #[error("this broker does not lead the partition in this epoch")]
    NotLeader,
    #[error("the log cannot be read: {0}")]
    Storage(String),
    #[error("the log holds what is not a record of this topic: {0}")]
    Corrupt(String),
}

/// Called once when a batch is durable, or will never be.
pub type AppendDone = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

/// The log of the internal topic. One shard appends one batch at a time.
pub trait OffsetsLog: Send + Sync {
    /// Appends a finished batch (base offset 0: the log assigns the real one) as leader of
    /// `epoch`, under the rule of `acks=all`. Does not wait: `done` is called when the batch is
    /// durable, from any thread, perhaps before this returns; the caller holds no lock.
    fn append(&self, partition: i32, epoch: i32, batch: Bytes, done: AppendDone);

    /// Whether there is nothing to replay, known without reading: a partition that was just made.
    fn is_empty(&self, partition: i32) -> bool;

    /// Reads the whole partition, from its start to what is written now, giving `sink` pieces
    /// of one or more whole batches in order. May block; called on a thread that may.
    ///
    /// # Errors
    /// Its own, and the first one that `sink` returns.
    fn replay(
        &self,
        partition: i32,
        epoch: i32,
        sink: &mut dyn FnMut(Bytes) -> Result<(), ReplayError>,
    ) -> Result<(), ReplayError>;
}

/// An [`OffsetsLog`] in memory, for tests: appends are done at once, held back, or fail.
#[cfg(test)]
pub(crate) mod memory {
    use std::collections::{HashMap, VecDeque};

    use bytes::Bytes;
    use parking_lot::Mutex;

    use super::{AppendDone, AppendError, OffsetsLog, ReplayError};

    #[derive(Default)]
    pub(crate) struct MemoryOffsetsLog {
        state: Mutex<State>,
    }

    #[derive(Default)]
    struct State {
        partitions: HashMap<i32, Vec<Bytes>>,
        is_held: bool,
        held: VecDeque<(i32, Bytes, AppendDone)>,
        next_error: Option<AppendError>,
    }

    impl MemoryOffsetsLog {
        /// From now on appends wait for [`MemoryOffsetsLog::release_one`].
        pub(crate) fn hold(&self) {
            self.state.lock().is_held = true;
        }

        /// Makes the oldest held append durable; false if there is none.
        pub(crate) fn release_one(&self) -> bool {
            let mut state = self.state.lock();
            let Some((partition, batch, done)) = state.held.pop_front() else { return false };
            state.partitions.entry(partition).or_default().push(batch);
            drop(state);
            done(Ok(()));
            true
        }

        /// The next append, or the oldest held one, fails.
        pub(crate) fn fail_next(&self, error: AppendError) {
            let mut state = self.state.lock();
            match state.held.pop_front() {
                Some((_, _, done)) => {
                    drop(state);
                    done(Err(error));
                }
                None => state.next_error = Some(error),
            }
        }

        pub(crate) fn batches(&self, partition: i32) -> Vec<Bytes> {
            self.state.lock().partitions.get(&partition).cloned().unwrap_or_default()
        }
    }

    impl OffsetsLog for MemoryOffsetsLog {
        fn append(&self, partition: i32, _epoch: i32, batch: Bytes, done: AppendDone) {
            let mut state = self.state.lock();
            if let Some(error) = state.next_error.take() {
                drop(state);
                return done(Err(error));
            }
            if state.is_held {
                return state.held.push_back((partition, batch, done));
            }
            state.partitions.entry(partition).or_default().push(batch);
            drop(state);
            done(Ok(()));
        }

        fn is_empty(&self, partition: i32) -> bool {
            self.batches(partition).is_empty()
        }

        fn replay(
            &self,
            partition: i32,
            _epoch: i32,
            sink: &mut dyn FnMut(Bytes) -> Result<(), ReplayError>,
        ) -> Result<(), ReplayError> {
            self.batches(partition).into_iter().try_for_each(sink)
        }
    }
}
