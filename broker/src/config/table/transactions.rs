//! Transactions and idempotent producers.

use super::row::{ConfigKey, boolean, int, short};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    int("add.partitions.to.txn.retry.backoff.max.ms").default("100").min(0).known(
        "Longest wait before a coordinator asks again to add a partition to a transaction."),
    int("add.partitions.to.txn.retry.backoff.ms").default("20").min(1).known(
        "First wait before a coordinator asks again to add a partition to a transaction."),
    int("producer.id.expiration.check.interval.ms").default("600000").min(1).internal().known(
        "How often idle producer ids are looked for."),
    int("producer.id.expiration.ms").default("86400000").min(1).cluster_wide().acted(
        "How long the state of a producer that sends nothing is kept."),
    int("transaction.abort.timed.out.transaction.cleanup.interval.ms").default("10000")
        .min(1).known("How often transactions that took too long are looked for."),
    int("transaction.max.timeout.ms").default("900000").min(1).known(
        "Longest timeout a transaction may ask for."),
    boolean("transaction.partition.verification.enable").default("true").cluster_wide().known(
        "Whether a partition asks the coordinator if a transaction is really going on."),
    int("transaction.remove.expired.transaction.cleanup.interval.ms").default("3600000")
        .min(1).known("How often unused transactional ids are looked for."),
    int("transaction.state.log.load.buffer.size").default("5242880").min(1).known(
        "Bytes read at a time when transactions are loaded."),
    int("transaction.state.log.min.isr").default("2").min(1).known(
        "min.insync.replicas of the transaction state topic."),
    int("transaction.state.log.num.partitions").default("50").min(1).known(
        "Partitions of the transaction state topic."),
    short("transaction.state.log.replication.factor").default("3").min(1).known(
        "Replicas of the transaction state topic."),
    int("transaction.state.log.segment.bytes").default("104857600").min(1).known(
        "Segment size of the transaction state topic."),
    boolean("transaction.two.phase.commit.enable").default("false").known(
        "Whether transactions may wait for an outside coordinator."),
    int("transactional.id.expiration.ms").default("604800000").min(1).known(
        "How long an unused transactional id is remembered."),
];
