//! Keys of a group and of a client-metrics subscription.

use super::row::{ConfigKey, Valid, boolean, int, list, long, string};

#[rustfmt::skip]
pub(super) const GROUP_KEYS: &[ConfigKey] = &[
    int("consumer.assignment.interval.ms").default("1000").min(0).known(
        "consumer.assignment.interval.ms."),
    boolean("consumer.assignor.offload.enable").default("true").internal().known(
        "consumer.assignor.offload.enable."),
    int("consumer.heartbeat.interval.ms").default("5000").min(1).known(
        "consumer.heartbeat.interval.ms."),
    int("consumer.session.timeout.ms").default("45000").min(1).known(
        "consumer.session.timeout.ms."),
    boolean("errors.deadletterqueue.copy.record.enable").default("false").known(
        "errors.deadletterqueue.copy.record.enable."),
    string("errors.deadletterqueue.topic.name").default("").known(
        "errors.deadletterqueue.topic.name."),
    int("share.assignment.interval.ms").default("1000").min(0).known(
        "share.assignment.interval.ms."),
    boolean("share.assignor.offload.enable").default("true").internal().known(
        "share.assignor.offload.enable."),
    string("share.auto.offset.reset").default("latest").valid(Valid::OffsetReset).known(
        "share.auto.offset.reset."),
    int("share.delivery.count.limit").default("5").min(2).known("share.delivery.count.limit."),
    int("share.heartbeat.interval.ms").default("5000").min(1).known("share.heartbeat.interval.ms."),
    string("share.isolation.level").default("read_uncommitted")
        .one_of(&["read_committed", "read_uncommitted"]).known("share.isolation.level."),
    int("share.partition.max.record.locks").default("2000").min(100).known(
        "share.partition.max.record.locks."),
    int("share.record.lock.duration.ms").default("30000").min(1000).known(
        "share.record.lock.duration.ms."),
    boolean("share.renew.acknowledge.enable").default("true").known(
        "share.renew.acknowledge.enable."),
    int("share.session.timeout.ms").default("45000").min(1).known("share.session.timeout.ms."),
    long("streams.acceptable.recovery.lag").default("10000").min(0).internal().known(
        "streams.acceptable.recovery.lag."),
    int("streams.assignment.interval.ms").default("1000").min(0).known(
        "streams.assignment.interval.ms."),
    string("streams.assignor.name").known("streams.assignor.name."),
    boolean("streams.assignor.offload.enable").default("true").internal().known(
        "streams.assignor.offload.enable."),
    int("streams.heartbeat.interval.ms").default("5000").min(1).known(
        "streams.heartbeat.interval.ms."),
    int("streams.initial.rebalance.delay.ms").default("3000").min(0).known(
        "streams.initial.rebalance.delay.ms."),
    int("streams.num.standby.replicas").default("0").min(0).known("streams.num.standby.replicas."),
    int("streams.num.warmup.replicas").default("2").min(0).internal().known(
        "streams.num.warmup.replicas."),
    list("streams.rack.aware.assignment.tags").default("").known(
        "streams.rack.aware.assignment.tags."),
    int("streams.session.timeout.ms").default("45000").min(1).known("streams.session.timeout.ms."),
    int("streams.task.offset.interval.ms").default("60000").min(1).internal().known(
        "streams.task.offset.interval.ms."),
];

#[rustfmt::skip]
pub(super) const CLIENT_METRICS_KEYS: &[ConfigKey] = &[
    int("interval.ms").default("300000").min(100).known("interval.ms."),
    list("match").default("").known("match."),
    list("metrics").default("").known("metrics."),
];
