//! Groups of the classic and of the consumer protocol, and committed offsets.

use super::row::{ConfigKey, Valid, boolean, int, list, long, short, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    int("group.consumer.assignment.interval.ms").default("1000").min(0).cluster_wide().known(
        "Shortest time between two assignments of a consumer group."),
    boolean("group.consumer.assignor.offload.enable").default("true").cluster_wide()
        .internal().known(
        "Whether assignments of consumer groups are computed on a thread of their own."),
    list("group.consumer.assignors").default("uniform,range").valid(Valid::NonEmptyList).known(
        "Assignors of the consumer protocol; the first is the default."),
    int("group.consumer.heartbeat.interval.ms").default("5000").min(1).known(
        "How often members of the consumer protocol send a heartbeat."),
    int("group.consumer.max.assignment.interval.ms").default("15000").min(0).known(
        "Largest assignment interval that a consumer group may be configured with."),
    int("group.consumer.max.heartbeat.interval.ms").default("15000").min(1).known(
        "Largest heartbeat interval that a consumer group may be configured with."),
    int("group.consumer.max.session.timeout.ms").default("60000").min(1).known(
        "Largest session timeout that a consumer group may be configured with."),
    int("group.consumer.max.size").default("2147483647").min(1).known(
        "Most members of one consumer group of the consumer protocol."),
    string("group.consumer.migration.policy").default("bidirectional")
        .valid(Valid::OneOfIgnoreCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"])).known(
        "Whether groups may move between the classic and the consumer protocol."),
    int("group.consumer.min.assignment.interval.ms").default("0").min(0).known(
        "Smallest assignment interval that a consumer group may be configured with."),
    int("group.consumer.min.heartbeat.interval.ms").default("5000").min(1).known(
        "Smallest heartbeat interval that a consumer group may be configured with."),
    int("group.consumer.min.session.timeout.ms").default("45000").min(1).known(
        "Smallest session timeout that a consumer group may be configured with."),
    int("group.consumer.regex.refresh.interval.ms").default("600000").min(10000)
        .internal().known("How often subscriptions by pattern are matched against new topics."),
    int("group.consumer.session.timeout.ms").default("45000").min(1).known(
        "A member of the consumer protocol that is not heard of for this long is removed."),
    int("group.coordinator.append.linger.ms").default("-1").min(-1).known(
        "How long the group coordinator collects records before it writes them; -1 adapts."),
    int("group.coordinator.background.threads").default("2").min(1).known(
        "Threads for the background work of the group coordinator."),
    int("group.coordinator.cached.buffer.max.bytes").default("1048588").min(524_288)
        .cluster_wide().known("Largest write buffer the group coordinator keeps for later use."),
    list("group.coordinator.rebalance.protocols").default("classic,consumer,streams")
        .one_of(&["consumer", "classic", "share", "streams"]).known(
        "Group protocols that are served."),
    int("group.coordinator.threads").default("4").min(1).known("Threads of the group coordinator."),
    int("group.initial.rebalance.delay.ms").default("3000").acted(
        "How long the first rebalance of an empty group waits for more members."),
    int("group.max.session.timeout.ms").default("1800000").acted(
        "Largest session timeout that a member of a classic group may ask for."),
    int("group.max.size").default("2147483647").min(1).acted("Most members of one classic group."),
    int("group.min.session.timeout.ms").default("6000").acted(
        "Smallest session timeout that a member of a classic group may ask for."),
    int("offset.metadata.max.bytes").default("4096").acted(
        "Longest metadata text of a committed offset."),
    int("offsets.commit.timeout.ms").default("5000").min(1).acted(
        "How long an offset commit may wait to be written."),
    int("offsets.load.buffer.size").default("5242880").min(1).known(
        "Bytes read at a time when groups are loaded from the offsets topic."),
    long("offsets.retention.check.interval.ms").default("600000").min(1).acted(
        "How often committed offsets are checked for expiry."),
    int("offsets.retention.minutes").default("10080").min(1).acted(
        "How long committed offsets of an empty group, or of a topic it no longer reads, are \
         kept."),
    int("offsets.topic.compression.codec").default("0").known("Compression of the offsets topic."),
    int("offsets.topic.num.partitions").default("50").min(1).acted(
        "Partitions of the offsets topic. It should not change later."),
    short("offsets.topic.replication.factor").default("3").min(1).acted(
        "Replicas of the offsets topic, at most as many as there are brokers."),
    int("offsets.topic.segment.bytes").default("104857600").min(1).acted(
        "Segment size of the offsets topic."),
];
