//! Which producer ids have been given out.

/// The blocks of producer ids given to brokers so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdsImage {
    /// The first id of the next block; every id below it belongs to some broker.
    pub next_producer_id: i64,
    /// The broker that got the last block, -1 before the first block.
    pub last_broker_id: i32,
    pub last_broker_epoch: i64,
}

impl Default for ProducerIdsImage {
    fn default() -> Self {
        ProducerIdsImage { next_producer_id: 0, last_broker_id: -1, last_broker_epoch: -1 }
    }
}
