//! Producer ids for idempotent producers, taken from the controller in blocks.

use std::sync::atomic::{AtomicI64, Ordering};

use controller::command::{Command, Outcome, ProducerIdsBlock};
use controller::{ApiError, ControllerError, ControllerHandle};
use tokio::sync::Mutex;

/// Gives out producer ids that no other producer of the cluster has.
#[derive(Debug)]
pub struct ProducerIds {
    broker_id: i32,
    controller: ControllerHandle,
    /// What is left of the last block.
    block: Mutex<ProducerIdsBlock>,
    /// The epoch of this broker's registration.
    broker_epoch: AtomicI64,
}

/// Why there is no producer id.
#[derive(Debug, thiserror::Error)]
pub enum NoProducerId {
    #[error(transparent)]
    Controller(#[from] ControllerError),
    #[error(transparent)]
    Refused(ApiError),
}

impl ProducerIds {
    pub fn new(broker_id: i32, controller: ControllerHandle) -> Self {
        let block = Mutex::new(ProducerIdsBlock { first: 0, len: 0 });
        Self { broker_id, controller, block, broker_epoch: AtomicI64::new(-1) }
    }

    /// To be called with every registration.
    pub fn set_broker_epoch(&self, epoch: i64) {
        self.broker_epoch.store(epoch, Ordering::Release);
    }

    /// The next id. Waits for the controller once in a block.
    pub async fn next(&self) -> Result<i64, NoProducerId> {
        let mut block = self.block.lock().await;
        if block.len == 0 {
            let broker_epoch = self.broker_epoch.load(Ordering::Acquire);
            let command = Command::AllocateProducerIds { broker_id: self.broker_id, broker_epoch };
            if let Outcome::AllocateProducerIds(result) = self.controller.submit(command).await? {
                *block = result.map_err(NoProducerId::Refused)?;
            }
        }
        let id = block.first;
        block.first += 1;
        block.len -= 1;
        Ok(id)
    }
}
