//! Transactions and idempotent producers.

use super::row::{ConfigKey, boolean, int, short};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    int("add.partitions.to.txn.retry.backoff.max.ms").default("100").min(0).known(
        "add.partitions.to.txn.retry.backoff.max.ms."),
    int("add.partitions.to.txn.retry.backoff.ms").default("20").min(1).known(
        "add.partitions.to.txn.retry.backoff.ms."),
    int("producer.id.expiration.check.interval.ms").default("600000").min(1).internal().known(
        "producer.id.expiration.check.interval.ms."),
    int("producer.id.expiration.ms").default("86400000").min(1).cluster_wide().acted(
        "producer.id.expiration.ms."),
    int("transaction.abort.timed.out.transaction.cleanup.interval.ms").default("10000")
        .min(1).known("transaction.abort.timed.out.transaction.cleanup.interval.ms."),
    int("transaction.max.timeout.ms").default("900000").min(1).known("transaction.max.timeout.ms."),
    boolean("transaction.partition.verification.enable").default("true").cluster_wide().known(
        "transaction.partition.verification.enable."),
    int("transaction.remove.expired.transaction.cleanup.interval.ms").default("3600000")
        .min(1).known("transaction.remove.expired.transaction.cleanup.interval.ms."),
    int("transaction.state.log.load.buffer.size").default("5242880").min(1).known(
        "transaction.state.log.load.buffer.size."),
    int("transaction.state.log.min.isr").default("2").min(1).known(
        "transaction.state.log.min.isr."),
    int("transaction.state.log.num.partitions").default("50").min(1).known(
        "transaction.state.log.num.partitions."),
    short("transaction.state.log.replication.factor").default("3").min(1).known(
        "transaction.state.log.replication.factor."),
    int("transaction.state.log.segment.bytes").default("104857600").min(1).known(
        "transaction.state.log.segment.bytes."),
    boolean("transaction.two.phase.commit.enable").default("false").known(
        "transaction.two.phase.commit.enable."),
    int("transactional.id.expiration.ms").default("604800000").min(1).known(
        "transactional.id.expiration.ms."),
];
