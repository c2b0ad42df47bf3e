//! Replication, fetching and automatic topic creation.

use super::row::{ConfigKey, boolean, int, long, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    boolean("auto.create.topics.enable").default("true").acted(
        "Whether a topic is created when a client asks for it and it is not there."),
    boolean("auto.leader.rebalance.enable").default("true").known(
        "Whether leadership is moved back to the preferred replicas from time to time."),
    int("default.replication.factor").default("1").acted(
        "Replicas of a topic that is created without saying how many."),
    int("delete.records.purgatory.purge.interval.requests").default("1").known(
        "How many finished DeleteRecords requests Kafka keeps before it sweeps them."),
    boolean("delete.topic.enable").default("true").acted("Whether topics may be deleted."),
    int("fetch.max.bytes").default("57671680").min(1024).acted(
        "Most bytes of records in the answer to one Fetch."),
    int("fetch.purgatory.purge.interval.requests").default("1000").known(
        "How many finished waiting Fetch requests Kafka keeps before it sweeps them."),
    long("leader.imbalance.check.interval.seconds").default("300").min(1).known(
        "How often the controller looks for leaders that should move back to their preferred \
         replicas."),
    int("min.insync.replicas").default("1").min(1).cluster_wide().acted(
        "In-sync replicas a partition must have for a write with acks=all to be admitted."),
    int("num.partitions").default("1").min(1).acted(
        "Partitions of a topic that is created without saying how many."),
    int("num.replica.fetchers").default("1").min(1).cluster_wide().known(
        "Threads that fetch from each other broker."),
    int("producer.purgatory.purge.interval.requests").default("1000").known(
        "How many finished waiting Produce requests Kafka keeps before it sweeps them."),
    int("replica.fetch.backoff.ms").default("1000").min(0).known(
        "Wait of a follower after a failed fetch."),
    int("replica.fetch.max.bytes").default("1048576").min(0).known(
        "Bytes a follower asks for per partition."),
    int("replica.fetch.min.bytes").default("1").known("Fewest bytes a follower's fetch waits for."),
    int("replica.fetch.response.max.bytes").default("10485760").min(0).known(
        "Most bytes in the answer to a follower's fetch."),
    int("replica.fetch.wait.max.ms").default("500").known(
        "Longest wait of a follower's fetch. It should be below replica.lag.time.max.ms."),
    long("replica.high.watermark.checkpoint.interval.ms").default("5000").known(
        "How often high watermarks are written down."),
    long("replica.lag.time.max.ms").default("30000").known(
        "A follower that has not caught up for this long leaves the in-sync replicas."),
    string("replica.selector.class").known(
        "The class that chooses the replica a consumer reads from."),
    int("replica.socket.receive.buffer.bytes").default("65536").known(
        "Receive buffer of a follower's connection."),
    int("replica.socket.timeout.ms").default("30000").known(
        "Socket timeout of a follower's connection."),
    boolean("unclean.leader.election.enable").default("false").cluster_wide().known(
        "Whether a replica that is not in sync may become leader, at the price of lost records."),
    long("unclean.leader.election.interval.ms").default("300000").min(1).internal().known(
        "How often partitions without a leader are tried for an unclean election."),
];
