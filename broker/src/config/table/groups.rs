//! Groups of the classic and of the consumer protocol, and committed offsets.

use super::row::{ConfigKey, Valid, boolean, int, list, long, short, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    int("group.consumer.assignment.interval.ms").default("1000").min(0).cluster_wide().known(
        "group.consumer.assignment.interval.ms."),
    boolean("group.consumer.assignor.offload.enable").default("true").cluster_wide()
        .internal().known("group.consumer.assignor.offload.enable."),
    list("group.consumer.assignors").default("uniform,range").known("group.consumer.assignors."),
    int("group.consumer.heartbeat.interval.ms").default("5000").min(1).known(
        "group.consumer.heartbeat.interval.ms."),
    int("group.consumer.max.assignment.interval.ms").default("15000").min(0).known(
        "group.consumer.max.assignment.interval.ms."),
    int("group.consumer.max.heartbeat.interval.ms").default("15000").min(1).known(
        "group.consumer.max.heartbeat.interval.ms."),
    int("group.consumer.max.session.timeout.ms").default("60000").min(1).known(
        "group.consumer.max.session.timeout.ms."),
    int("group.consumer.max.size").default("2147483647").min(1).known("group.consumer.max.size."),
    string("group.consumer.migration.policy").default("bidirectional")
        .valid(Valid::OneOfIgnoreCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"])).known(
        "group.consumer.migration.policy."),
    int("group.consumer.min.assignment.interval.ms").default("0").min(0).known(
        "group.consumer.min.assignment.interval.ms."),
    int("group.consumer.min.heartbeat.interval.ms").default("5000").min(1).known(
        "group.consumer.min.heartbeat.interval.ms."),
    int("group.consumer.min.session.timeout.ms").default("45000").min(1).known(
        "group.consumer.min.session.timeout.ms."),
    int("group.consumer.regex.refresh.interval.ms").default("600000").min(10000)
        .internal().known("group.consumer.regex.refresh.interval.ms."),
    int("group.consumer.session.timeout.ms").default("45000").min(1).known(
        "group.consumer.session.timeout.ms."),
    int("group.coordinator.append.linger.ms").default("-1").min(-1).known(
        "group.coordinator.append.linger.ms."),
    int("group.coordinator.background.threads").default("2").min(1).known(
        "group.coordinator.background.threads."),
    int("group.coordinator.cached.buffer.max.bytes").default("1048588").min(524_288)
        .cluster_wide().known("group.coordinator.cached.buffer.max.bytes."),
    list("group.coordinator.rebalance.protocols").default("classic,consumer,streams")
        .one_of(&["consumer", "classic", "share", "streams"]).known(
        "group.coordinator.rebalance.protocols."),
    int("group.coordinator.threads").default("4").min(1).known("group.coordinator.threads."),
    int("group.initial.rebalance.delay.ms").default("3000").acted(
        "group.initial.rebalance.delay.ms."),
    int("group.max.session.timeout.ms").default("1800000").acted("group.max.session.timeout.ms."),
    int("group.max.size").default("2147483647").min(1).acted("group.max.size."),
    int("group.min.session.timeout.ms").default("6000").acted("group.min.session.timeout.ms."),
    int("offset.metadata.max.bytes").default("4096").acted("offset.metadata.max.bytes."),
    int("offsets.commit.timeout.ms").default("5000").min(1).acted("offsets.commit.timeout.ms."),
    int("offsets.load.buffer.size").default("5242880").min(1).known("offsets.load.buffer.size."),
    long("offsets.retention.check.interval.ms").default("600000").min(1).acted(
        "offsets.retention.check.interval.ms."),
    int("offsets.retention.minutes").default("10080").min(1).acted("offsets.retention.minutes."),
    int("offsets.topic.compression.codec").default("0").known("offsets.topic.compression.codec."),
    int("offsets.topic.num.partitions").default("50").min(1).acted("offsets.topic.num.partitions."),
    short("offsets.topic.replication.factor").default("3").min(1).acted(
        "offsets.topic.replication.factor."),
    int("offsets.topic.segment.bytes").default("104857600").min(1).acted(
        "offsets.topic.segment.bytes."),
];
