//! Tells the controller in which log directory each replica of this broker lies (KIP-858).
//!
//! With several directories the broker chooses, and the metadata has to remember: at the next start
//! a partition whose directory is missing must be offline, not begun anew elsewhere. The
//! controller's thread only queues what it found; a task of its own submits it, one command at a
//! time, so that the partitions of a large request or of many small ones share a raft entry.

use std::time::Duration;

use controller::command::{Command, Outcome, ReplicaDirectory};
use controller::{ControllerError, ControllerHandle};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Replicas in one command: an entry of the metadata log stays below a megabyte.
const REPLICAS_PER_COMMAND_MAX: usize = 5_000;

/// How long to wait when the controller cannot take a command now, as on a full disk.
const RETRY: Duration = Duration::from_secs(1);

/// What the controller has to be told. At most one entry for each replica of this broker that was
/// opened since the start.
#[derive(Debug, Default)]
pub struct DirectoryAssignments {
    pending: Mutex<Vec<ReplicaDirectory>>,
    pushed: Notify,
}

impl DirectoryAssignments {
    /// Has the controller told soon. Does not wait.
    pub(super) fn push(&self, replica: ReplicaDirectory) {
        self.pending.lock().push(replica);
        self.pushed.notify_one();
    }

    /// Submits what is pushed until the controller stops.
    pub async fn run(&self, controller: ControllerHandle, broker_id: i32, broker_epoch: i64) {
        loop {
            let replicas = self.take();
            if replicas.is_empty() {
                self.pushed.notified().await;
                continue;
            }
            let count = replicas.len();
            let command = Command::AssignReplicasToDirs {
                broker_id,
                broker_epoch,
                replicas: replicas.clone(),
            };
            match controller.submit(command).await {
                Ok(Outcome::AssignReplicasToDirs(Ok(()))) => {
                    tracing::debug!(count, "The controller knows the directories of new replicas");
                }
                Ok(outcome) => tracing::error!(
                    count,
                    ?outcome,
                    "The controller does not take the directories of replicas"
                ),
                Err(ControllerError::Stopped(_)) => return,
                Err(error) => {
                    tracing::warn!(count, %error, "The directories of replicas are not recorded yet");
                    self.pending.lock().splice(..0, replicas);
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    fn take(&self) -> Vec<ReplicaDirectory> {
        let mut pending = self.pending.lock();
        let count = pending.len().min(REPLICAS_PER_COMMAND_MAX);
        pending.drain(..count).collect()
    }
}
