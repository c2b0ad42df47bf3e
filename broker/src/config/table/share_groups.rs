//! Share groups (KIP-932), streams groups (KIP-1071) and the share coordinator.

use super::row::{ConfigKey, boolean, class, int, list, long, short, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    boolean("errors.deadletterqueue.auto.create.topics.enable").default("false")
        .cluster_wide().known("errors.deadletterqueue.auto.create.topics.enable."),
    string("errors.deadletterqueue.topic.name.prefix").default("dlq.").cluster_wide().known(
        "errors.deadletterqueue.topic.name.prefix."),
    int("group.share.assignment.interval.ms").default("1000").min(0).cluster_wide().known(
        "group.share.assignment.interval.ms."),
    boolean("group.share.assignor.offload.enable").default("true").cluster_wide()
        .internal().known("group.share.assignor.offload.enable."),
    list("group.share.assignors").default("simple").known("group.share.assignors."),
    int("group.share.delivery.count.limit").default("5").range(2, 10).known(
        "group.share.delivery.count.limit."),
    string("group.share.dlq.manager.class.name")
        .default("org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager")
        .internal().known("group.share.dlq.manager.class.name."),
    int("group.share.heartbeat.interval.ms").default("5000").min(1).known(
        "group.share.heartbeat.interval.ms."),
    int("group.share.initialize.retry.interval.ms").default("30000").min(1).internal().known(
        "group.share.initialize.retry.interval.ms."),
    int("group.share.max.assignment.interval.ms").default("15000").min(0).known(
        "group.share.max.assignment.interval.ms."),
    int("group.share.max.delivery.count.limit").default("10").range(5, 25).known(
        "group.share.max.delivery.count.limit."),
    int("group.share.max.heartbeat.interval.ms").default("15000").min(1).known(
        "group.share.max.heartbeat.interval.ms."),
    int("group.share.max.partition.max.record.locks").default("4000").range(2000, 10000).known(
        "group.share.max.partition.max.record.locks."),
    int("group.share.max.record.lock.duration.ms").default("60000")
        .range(30000, 3_600_000).known("group.share.max.record.lock.duration.ms."),
    int("group.share.max.session.timeout.ms").default("60000").min(1).known(
        "group.share.max.session.timeout.ms."),
    int("group.share.max.share.sessions").default("2000").min(1).known(
        "group.share.max.share.sessions."),
    int("group.share.max.size").default("200").range(1, 1000).known("group.share.max.size."),
    int("group.share.min.assignment.interval.ms").default("0").min(0).known(
        "group.share.min.assignment.interval.ms."),
    int("group.share.min.delivery.count.limit").default("2").range(2, 5).known(
        "group.share.min.delivery.count.limit."),
    int("group.share.min.heartbeat.interval.ms").default("5000").min(1).known(
        "group.share.min.heartbeat.interval.ms."),
    int("group.share.min.partition.max.record.locks").default("100").range(100, 2000).known(
        "group.share.min.partition.max.record.locks."),
    int("group.share.min.record.lock.duration.ms").default("15000").range(1000, 30000).known(
        "group.share.min.record.lock.duration.ms."),
    int("group.share.min.session.timeout.ms").default("45000").min(1).known(
        "group.share.min.session.timeout.ms."),
    int("group.share.partition.max.record.locks").default("2000").range(100, 10000).known(
        "group.share.partition.max.record.locks."),
    string("group.share.persister.class.name")
        .default("org.apache.kafka.server.share.persister.DefaultStatePersister")
        .internal().known("group.share.persister.class.name."),
    int("group.share.record.lock.duration.ms").default("30000").range(1000, 3_600_000).known(
        "group.share.record.lock.duration.ms."),
    int("group.share.session.timeout.ms").default("45000").min(1).known(
        "group.share.session.timeout.ms."),
    long("group.streams.acceptable.recovery.lag").default("10000").min(0).internal().known(
        "group.streams.acceptable.recovery.lag."),
    int("group.streams.assignment.interval.ms").default("1000").min(0).cluster_wide().known(
        "group.streams.assignment.interval.ms."),
    boolean("group.streams.assignor.offload.enable").default("true").cluster_wide()
        .internal().known("group.streams.assignor.offload.enable."),
    list("group.streams.assignors").default("sticky").known("group.streams.assignors."),
    int("group.streams.heartbeat.interval.ms").default("5000").min(1).known(
        "group.streams.heartbeat.interval.ms."),
    int("group.streams.initial.rebalance.delay.ms").default("3000").min(0).known(
        "group.streams.initial.rebalance.delay.ms."),
    int("group.streams.max.assignment.interval.ms").default("15000").min(0).known(
        "group.streams.max.assignment.interval.ms."),
    int("group.streams.max.heartbeat.interval.ms").default("15000").min(1).known(
        "group.streams.max.heartbeat.interval.ms."),
    int("group.streams.max.session.timeout.ms").default("60000").min(1).known(
        "group.streams.max.session.timeout.ms."),
    int("group.streams.max.size").default("2147483647").min(1).known("group.streams.max.size."),
    int("group.streams.max.standby.replicas").default("2").min(0).known(
        "group.streams.max.standby.replicas."),
    int("group.streams.max.warmup.replicas").default("20").min(0).internal().known(
        "group.streams.max.warmup.replicas."),
    int("group.streams.min.assignment.interval.ms").default("0").min(0).known(
        "group.streams.min.assignment.interval.ms."),
    int("group.streams.min.heartbeat.interval.ms").default("5000").min(1).known(
        "group.streams.min.heartbeat.interval.ms."),
    int("group.streams.min.session.timeout.ms").default("45000").min(1).known(
        "group.streams.min.session.timeout.ms."),
    int("group.streams.min.task.offset.interval.ms").default("15000").min(1).internal().known(
        "group.streams.min.task.offset.interval.ms."),
    int("group.streams.num.standby.replicas").default("0").min(0).known(
        "group.streams.num.standby.replicas."),
    int("group.streams.num.warmup.replicas").default("2").min(0).internal().known(
        "group.streams.num.warmup.replicas."),
    list("group.streams.rack.aware.assignment.tags").default("").known(
        "group.streams.rack.aware.assignment.tags."),
    int("group.streams.session.timeout.ms").default("45000").min(1).known(
        "group.streams.session.timeout.ms."),
    int("group.streams.task.offset.interval.ms").default("60000").min(1).internal().known(
        "group.streams.task.offset.interval.ms."),
    class("group.streams.topology.description.plugin.class").known(
        "group.streams.topology.description.plugin.class."),
    int("share.coordinator.append.linger.ms").default("-1").min(-1).known(
        "share.coordinator.append.linger.ms."),
    int("share.coordinator.cached.buffer.max.bytes").default("1048588").min(524_288)
        .cluster_wide().known("share.coordinator.cached.buffer.max.bytes."),
    int("share.coordinator.cold.partition.snapshot.interval.ms").default("300000").min(1)
        .internal().known("share.coordinator.cold.partition.snapshot.interval.ms."),
    int("share.coordinator.load.buffer.size").default("5242880").min(1).known(
        "share.coordinator.load.buffer.size."),
    int("share.coordinator.snapshot.update.records.per.snapshot").default("500")
        .range(0, 500).known("share.coordinator.snapshot.update.records.per.snapshot."),
    int("share.coordinator.state.topic.compression.codec").default("0").known(
        "share.coordinator.state.topic.compression.codec."),
    short("share.coordinator.state.topic.min.isr").default("2").min(1).known(
        "share.coordinator.state.topic.min.isr."),
    int("share.coordinator.state.topic.num.partitions").default("50").min(1).known(
        "share.coordinator.state.topic.num.partitions."),
    int("share.coordinator.state.topic.prune.interval.ms").default("300000").min(1)
        .internal().known("share.coordinator.state.topic.prune.interval.ms."),
    short("share.coordinator.state.topic.replication.factor").default("3").min(1).known(
        "share.coordinator.state.topic.replication.factor."),
    int("share.coordinator.state.topic.segment.bytes").default("104857600").min(1).known(
        "share.coordinator.state.topic.segment.bytes."),
    int("share.coordinator.threads").default("1").min(1).known("share.coordinator.threads."),
    int("share.coordinator.write.timeout.ms").default("5000").min(1).known(
        "share.coordinator.write.timeout.ms."),
    int("share.fetch.purgatory.purge.interval.requests").default("1000").known(
        "share.fetch.purgatory.purge.interval.requests."),
];
