//! Replication, fetching and automatic topic creation.

use super::row::{ConfigKey, boolean, int, long, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    boolean("auto.create.topics.enable").default("true").acted("auto.create.topics.enable."),
    boolean("auto.leader.rebalance.enable").default("true").known("auto.leader.rebalance.enable."),
    int("default.replication.factor").default("1").acted("default.replication.factor."),
    int("delete.records.purgatory.purge.interval.requests").default("1").known(
        "delete.records.purgatory.purge.interval.requests."),
    boolean("delete.topic.enable").default("true").acted("delete.topic.enable."),
    int("fetch.max.bytes").default("57671680").min(1024).acted("fetch.max.bytes."),
    int("fetch.purgatory.purge.interval.requests").default("1000").known(
        "fetch.purgatory.purge.interval.requests."),
    long("leader.imbalance.check.interval.seconds").default("300").min(1).known(
        "leader.imbalance.check.interval.seconds."),
    int("min.insync.replicas").default("1").min(1).cluster_wide().acted("min.insync.replicas."),
    int("num.partitions").default("1").min(1).acted("num.partitions."),
    int("num.replica.fetchers").default("1").min(1).cluster_wide().known("num.replica.fetchers."),
    int("producer.purgatory.purge.interval.requests").default("1000").known(
        "producer.purgatory.purge.interval.requests."),
    int("replica.fetch.backoff.ms").default("1000").min(0).known("replica.fetch.backoff.ms."),
    int("replica.fetch.max.bytes").default("1048576").min(0).known("replica.fetch.max.bytes."),
    int("replica.fetch.min.bytes").default("1").known("replica.fetch.min.bytes."),
    int("replica.fetch.response.max.bytes").default("10485760").min(0).known(
        "replica.fetch.response.max.bytes."),
    int("replica.fetch.wait.max.ms").default("500").known("replica.fetch.wait.max.ms."),
    long("replica.high.watermark.checkpoint.interval.ms").default("5000").known(
        "replica.high.watermark.checkpoint.interval.ms."),
    long("replica.lag.time.max.ms").default("30000").known("replica.lag.time.max.ms."),
    string("replica.selector.class").known("replica.selector.class."),
    int("replica.socket.receive.buffer.bytes").default("65536").known(
        "replica.socket.receive.buffer.bytes."),
    int("replica.socket.timeout.ms").default("30000").known("replica.socket.timeout.ms."),
    boolean("unclean.leader.election.enable").default("false").cluster_wide().known(
        "unclean.leader.election.enable."),
    long("unclean.leader.election.interval.ms").default("300000").min(1).internal().known(
        "unclean.leader.election.interval.ms."),
];
