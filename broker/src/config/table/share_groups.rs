//! Share groups (KIP-932), streams groups (KIP-1071) and the share coordinator.

use super::row::{ConfigKey, Valid, boolean, class, int, list, long, short, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    boolean("errors.deadletterqueue.auto.create.topics.enable").default("false")
        .cluster_wide().known(
        "Whether dead letter topics of share groups are created when they are missing."),
    string("errors.deadletterqueue.topic.name.prefix").default("dlq.").cluster_wide().known(
        "What the names of dead letter topics of share groups start with."),
    int("group.share.assignment.interval.ms").default("1000").min(0).cluster_wide().known(
        "Shortest time between two assignments of a share group."),
    boolean("group.share.assignor.offload.enable").default("true").cluster_wide()
        .internal().known(
        "Whether assignments of share groups are computed on a thread of their own."),
    list("group.share.assignors").default("simple").valid(Valid::NonEmptyList).known(
        "Assignors of share groups."),
    int("group.share.delivery.count.limit").default("5").range(2, 10).known(
        "How often a record of a share group is delivered before it is given up."),
    string("group.share.dlq.manager.class.name")
        .default("org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager")
        .internal().known("The class that writes dead letters of share groups."),
    int("group.share.heartbeat.interval.ms").default("5000").min(1).known(
        "How often members of share groups send a heartbeat."),
    int("group.share.initialize.retry.interval.ms").default("30000").min(1).internal().known(
        "Wait before the state of a share group's partition is initialised again."),
    int("group.share.max.assignment.interval.ms").default("15000").min(0).known(
        "Largest assignment interval that a share group may be configured with."),
    int("group.share.max.delivery.count.limit").default("10").range(5, 25).known(
        "Largest delivery count limit that a share group may be configured with."),
    int("group.share.max.heartbeat.interval.ms").default("15000").min(1).known(
        "Largest heartbeat interval that a share group may be configured with."),
    int("group.share.max.partition.max.record.locks").default("4000").range(2000, 10000).known(
        "Largest number of locked records per partition that a share group may be configured \
         with."),
    int("group.share.max.record.lock.duration.ms").default("60000")
        .range(30000, 3_600_000).known(
        "Longest record lock that a share group may be configured with."),
    int("group.share.max.session.timeout.ms").default("60000").min(1).known(
        "Largest session timeout that a share group may be configured with."),
    int("group.share.max.share.sessions").default("2000").min(1).known(
        "Most share sessions on one broker."),
    int("group.share.max.size").default("200").range(1, 1000).known(
        "Most members of one share group."),
    int("group.share.min.assignment.interval.ms").default("0").min(0).known(
        "Smallest assignment interval that a share group may be configured with."),
    int("group.share.min.delivery.count.limit").default("2").range(2, 5).known(
        "Smallest delivery count limit that a share group may be configured with."),
    int("group.share.min.heartbeat.interval.ms").default("5000").min(1).known(
        "Smallest heartbeat interval that a share group may be configured with."),
    int("group.share.min.partition.max.record.locks").default("100").range(100, 2000).known(
        "Smallest number of locked records per partition that a share group may be configured \
         with."),
    int("group.share.min.record.lock.duration.ms").default("15000").range(1000, 30000).known(
        "Shortest record lock that a share group may be configured with."),
    int("group.share.min.session.timeout.ms").default("45000").min(1).known(
        "Smallest session timeout that a share group may be configured with."),
    int("group.share.partition.max.record.locks").default("2000").range(100, 10000).known(
        "Most records of one partition that a share group has under lock at a time."),
    string("group.share.persister.class.name")
        .default("org.apache.kafka.server.share.persister.DefaultStatePersister")
        .internal().known("The class that keeps the state of share groups."),
    int("group.share.record.lock.duration.ms").default("30000").range(1000, 3_600_000).known(
        "How long a record that was handed to a member of a share group stays locked."),
    int("group.share.session.timeout.ms").default("45000").min(1).known(
        "A member of a share group that is not heard of for this long is removed."),
    long("group.streams.acceptable.recovery.lag").default("10000").min(0).internal().known(
        "Lag up to which a streams task counts as caught up."),
    int("group.streams.assignment.interval.ms").default("1000").min(0).cluster_wide().known(
        "Shortest time between two assignments of a streams group."),
    boolean("group.streams.assignor.offload.enable").default("true").cluster_wide()
        .internal().known(
        "Whether assignments of streams groups are computed on a thread of their own."),
    list("group.streams.assignors").default("sticky").valid(Valid::NonEmptyList).known(
        "Assignors of streams groups."),
    int("group.streams.heartbeat.interval.ms").default("5000").min(1).known(
        "How often members of streams groups send a heartbeat."),
    int("group.streams.initial.rebalance.delay.ms").default("3000").min(0).known(
        "How long the first rebalance of an empty streams group waits for more members."),
    int("group.streams.max.assignment.interval.ms").default("15000").min(0).known(
        "Largest assignment interval that a streams group may be configured with."),
    int("group.streams.max.heartbeat.interval.ms").default("15000").min(1).known(
        "Largest heartbeat interval that a streams group may be configured with."),
    int("group.streams.max.session.timeout.ms").default("60000").min(1).known(
        "Largest session timeout that a streams group may be configured with."),
    int("group.streams.max.size").default("2147483647").min(1).known(
        "Most members of one streams group."),
    int("group.streams.max.standby.replicas").default("2").min(0).known(
        "Most standby replicas that a streams group may be configured with."),
    int("group.streams.max.warmup.replicas").default("20").min(0).internal().known(
        "Most warm-up replicas that a streams group may be configured with."),
    int("group.streams.min.assignment.interval.ms").default("0").min(0).known(
        "Smallest assignment interval that a streams group may be configured with."),
    int("group.streams.min.heartbeat.interval.ms").default("5000").min(1).known(
        "Smallest heartbeat interval that a streams group may be configured with."),
    int("group.streams.min.session.timeout.ms").default("45000").min(1).known(
        "Smallest session timeout that a streams group may be configured with."),
    int("group.streams.min.task.offset.interval.ms").default("15000").min(1).internal().known(
        "Smallest task offset interval that a streams group may be configured with."),
    int("group.streams.num.standby.replicas").default("0").min(0).known(
        "Standby replicas of each task of a streams group."),
    int("group.streams.num.warmup.replicas").default("2").min(0).internal().known(
        "Tasks of a streams group that may warm up at the same time."),
    list("group.streams.rack.aware.assignment.tags").default("").known(
        "Client tags by which standby tasks of a streams group are spread."),
    int("group.streams.session.timeout.ms").default("45000").min(1).known(
        "A member of a streams group that is not heard of for this long is removed."),
    int("group.streams.task.offset.interval.ms").default("60000").min(1).internal().known(
        "How often members of streams groups report the offsets of their tasks."),
    class("group.streams.topology.description.plugin.class").known(
        "A class that stores the descriptions of streams topologies."),
    int("share.coordinator.append.linger.ms").default("-1").min(-1).known(
        "How long the share coordinator collects records before it writes them; -1 adapts."),
    int("share.coordinator.cached.buffer.max.bytes").default("1048588").min(524_288)
        .cluster_wide().known("Largest write buffer the share coordinator keeps for later use."),
    int("share.coordinator.cold.partition.snapshot.interval.ms").default("300000").min(1)
        .internal().known("How often the state of idle share partitions is written as a snapshot."),
    int("share.coordinator.load.buffer.size").default("5242880").min(1).known(
        "Bytes read at a time when share state is loaded."),
    int("share.coordinator.snapshot.update.records.per.snapshot").default("500")
        .range(0, 500).known("Updates after which share state is written as a snapshot."),
    int("share.coordinator.state.topic.compression.codec").default("0").known(
        "Compression of the share state topic."),
    short("share.coordinator.state.topic.min.isr").default("2").min(1).known(
        "min.insync.replicas of the share state topic."),
    int("share.coordinator.state.topic.num.partitions").default("50").min(1).known(
        "Partitions of the share state topic."),
    int("share.coordinator.state.topic.prune.interval.ms").default("300000").min(1)
        .internal().known("How often the share state topic is pruned."),
    short("share.coordinator.state.topic.replication.factor").default("3").min(1).known(
        "Replicas of the share state topic."),
    int("share.coordinator.state.topic.segment.bytes").default("104857600").min(1).known(
        "Segment size of the share state topic."),
    int("share.coordinator.threads").default("1").min(1).known("Threads of the share coordinator."),
    int("share.coordinator.write.timeout.ms").default("5000").min(1).known(
        "How long a write of share state may wait."),
    int("share.fetch.purgatory.purge.interval.requests").default("1000").known(
        "How many finished waiting ShareFetch requests Kafka keeps before it sweeps them."),
];
