//! Keys of a group and of a client-metrics subscription.

use super::row::{ConfigKey, Valid, boolean, int, list, long, string};

#[rustfmt::skip]
pub(super) const GROUP_KEYS: &[ConfigKey] = &[
    int("consumer.assignment.interval.ms").default("1000").min(0)
        .falls_back_to(&["group.consumer.assignment.interval.ms"]).known(
        "Shortest time between two assignments of the group."),
    boolean("consumer.assignor.offload.enable").default("true")
        .falls_back_to(&["group.consumer.assignor.offload.enable"]).internal().known(
        "Whether assignments are computed on a thread of their own."),
    int("consumer.heartbeat.interval.ms").default("5000").min(1)
        .falls_back_to(&["group.consumer.heartbeat.interval.ms"]).known(
        "How often members send a heartbeat."),
    int("consumer.session.timeout.ms").default("45000").min(1)
        .falls_back_to(&["group.consumer.session.timeout.ms"]).known(
        "A member that is not heard of for this long is removed."),
    boolean("errors.deadletterqueue.copy.record.enable").default("false").known(
        "Whether a dead letter holds the whole record, or only where it came from."),
    string("errors.deadletterqueue.topic.name").default("").known(
        "The topic for records that the share group gave up."),
    int("share.assignment.interval.ms").default("1000").min(0)
        .falls_back_to(&["group.share.assignment.interval.ms"]).known(
        "Shortest time between two assignments of the group."),
    boolean("share.assignor.offload.enable").default("true")
        .falls_back_to(&["group.share.assignor.offload.enable"]).internal().known(
        "Whether assignments are computed on a thread of their own."),
    string("share.auto.offset.reset").default("latest").valid(Valid::OffsetReset).known(
        "Where a share group starts in a partition it has no state of."),
    int("share.delivery.count.limit").default("5").min(2)
        .falls_back_to(&["group.share.delivery.count.limit"]).known(
        "How often a record is delivered before it is given up."),
    int("share.heartbeat.interval.ms").default("5000").min(1)
        .falls_back_to(&["group.share.heartbeat.interval.ms"]).known(
        "How often members send a heartbeat."),
    string("share.isolation.level").default("read_uncommitted")
        .one_of(&["read_committed", "read_uncommitted"]).known(
        "Whether records of open or aborted transactions are delivered."),
    int("share.partition.max.record.locks").default("2000").min(100)
        .falls_back_to(&["group.share.partition.max.record.locks"]).known(
        "Most records of one partition under lock at a time."),
    int("share.record.lock.duration.ms").default("30000").min(1000)
        .falls_back_to(&["group.share.record.lock.duration.ms"]).known(
        "How long a record that was handed to a member stays locked."),
    boolean("share.renew.acknowledge.enable").default("true").known(
        "Whether members may extend the lock of a record."),
    int("share.session.timeout.ms").default("45000").min(1)
        .falls_back_to(&["group.share.session.timeout.ms"]).known(
        "A member that is not heard of for this long is removed."),
    long("streams.acceptable.recovery.lag").default("10000").min(0)
        .falls_back_to(&["group.streams.acceptable.recovery.lag"]).internal().known(
        "Lag up to which a task counts as caught up."),
    int("streams.assignment.interval.ms").default("1000").min(0)
        .falls_back_to(&["group.streams.assignment.interval.ms"]).known(
        "Shortest time between two assignments of the group."),
    string("streams.assignor.name").falls_back_to(&["group.streams.assignors"]).known(
        "The assignor of the group."),
    boolean("streams.assignor.offload.enable").default("true")
        .falls_back_to(&["group.streams.assignor.offload.enable"]).internal().known(
        "Whether assignments are computed on a thread of their own."),
    int("streams.heartbeat.interval.ms").default("5000").min(1)
        .falls_back_to(&["group.streams.heartbeat.interval.ms"]).known(
        "How often members send a heartbeat."),
    int("streams.initial.rebalance.delay.ms").default("3000").min(0)
        .falls_back_to(&["group.streams.initial.rebalance.delay.ms"]).known(
        "How long the first rebalance of the empty group waits for more members."),
    int("streams.num.standby.replicas").default("0").min(0)
        .falls_back_to(&["group.streams.num.standby.replicas"]).known(
        "Standby replicas of each task."),
    int("streams.num.warmup.replicas").default("2").min(0)
        .falls_back_to(&["group.streams.num.warmup.replicas"]).internal().known(
        "Tasks that may warm up at the same time."),
    list("streams.rack.aware.assignment.tags").default("")
        .falls_back_to(&["group.streams.rack.aware.assignment.tags"]).known(
        "Client tags by which standby tasks are spread."),
    int("streams.session.timeout.ms").default("45000").min(1)
        .falls_back_to(&["group.streams.session.timeout.ms"]).known(
        "A member that is not heard of for this long is removed."),
    int("streams.task.offset.interval.ms").default("60000").min(1)
        .falls_back_to(&["group.streams.task.offset.interval.ms"]).internal().known(
        "How often members report the offsets of their tasks."),
];

#[rustfmt::skip]
pub(super) const CLIENT_METRICS_KEYS: &[ConfigKey] = &[
    int("interval.ms").default("300000").known(
        "How often clients push the metrics of this subscription."),
    list("match").default("").known(
        "Which clients are asked: pairs such as client_software_name=.*java.*, all of which \
         must match."),
    list("metrics").default("").known(
        "Name prefixes of the metrics that are asked for; * asks for all of them."),
];
