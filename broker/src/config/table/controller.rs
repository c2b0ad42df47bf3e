//! Identity of the node and the metadata quorum.

use super::row::{ConfigKey, Valid, boolean, int, list, long, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    int("broker.heartbeat.interval.ms").default("2000").known(
        "How often a broker tells the controller that it is alive."),
    int("broker.id").default("-1").acted(
        "The old name of node.id. If both are given they must be equal."),
    string("broker.rack").acted(
        "The rack or zone of this broker, used to spread replicas and to fetch from near ones."),
    int("broker.session.timeout.ms").default("9000").known(
        "A broker that has not been heard of for this long is fenced."),
    boolean("controlled.shutdown.enable").default("true").known(
        "Whether leadership is handed over before the broker stops. It always is here."),
    list("controller.listener.names").required().valid(Valid::NonEmptyList).acted(
        "Listeners that carry the traffic of the metadata quorum. Clients are not served there."),
    long("controller.performance.always.log.threshold.ms").default("2000").min(0)
        .internal().known("Controller events that take longer than this are logged one by one."),
    long("controller.performance.sample.period.ms").default("60000").min(100).internal().known(
        "How often the controller logs a summary of slow events."),
    int("controller.quorum.append.linger.ms").default("25").min(0).known(
        "How long a quorum leader collects records before it writes them."),
    boolean("controller.quorum.auto.join.enable").default("false").known(
        "Whether a controller adds itself to the voters."),
    list("controller.quorum.bootstrap.servers").default("").known(
        "Where to find the metadata quorum, as host:port. One node needs no other."),
    int("controller.quorum.election.backoff.max.ms").default("1000").min(0).known(
        "Longest wait before another election after one without a winner."),
    int("controller.quorum.election.timeout.ms").default("1000").min(0).known(
        "How long a voter waits for a majority before it starts a new election."),
    int("controller.quorum.fetch.max.bytes").default("1048576").min(1).known(
        "Most bytes of metadata records in one fetch of a voter."),
    int("controller.quorum.fetch.snapshot.max.bytes").default("1048576").min(1).known(
        "Most bytes of a metadata snapshot in one fetch."),
    int("controller.quorum.fetch.timeout.ms").default("2000").min(0).known(
        "A voter that has not reached the leader for this long becomes a candidate."),
    int("controller.quorum.request.timeout.ms").default("2000").min(0).known(
        "How long a voter waits for the answer to a request."),
    int("controller.quorum.retry.backoff.ms").default("20").min(0).known(
        "Wait before a failed request between voters is sent again."),
    list("controller.quorum.voters").default("").acted(
        "The voters of the metadata quorum, as id@host:port. One node is its own only voter."),
    int("controller.socket.timeout.ms").default("30000").known(
        "Socket timeout of a broker's requests to the controller."),
    int("initial.broker.registration.timeout.ms").default("60000").known(
        "How long a starting broker tries to register with the controller."),
    long("internal.metadata.delete.delay.millis").default("60000").internal().known(
        "How long old metadata segments stay on disk after they were given up."),
    int("internal.metadata.log.segment.bytes").internal().known(
        "Segment size of the metadata log, for tests."),
    int("internal.metadata.max.batch.size.in.bytes").default("8388608").internal().known(
        "Largest batch of metadata records."),
    string("metadata.log.dir").acted(
        "Where the metadata lies. Without it, the first of the log directories."),
    long("metadata.log.max.record.bytes.between.snapshots").default("20971520").min(1).acted(
        "A metadata snapshot is written after this many bytes of new metadata; after 1 MiB \
         unless this is set."),
    long("metadata.log.max.snapshot.interval.ms").default("3600000").min(0).known(
        "A metadata snapshot is written at the latest after this time if there is new metadata. \
         Here only bytes count."),
    int("metadata.log.segment.bytes").default("1073741824").min(8_388_608).known(
        "Largest size of a segment of Kafka's metadata log."),
    long("metadata.log.segment.ms").default("604800000").known(
        "Age at which a segment of Kafka's metadata log is rolled."),
    int("metadata.max.idle.interval.ms").default("500").min(0).known(
        "How often an idle controller writes a record that says so."),
    long("metadata.max.retention.bytes").default("104857600").known(
        "Bytes of old metadata that are kept."),
    long("metadata.max.retention.ms").default("604800000").known("How long old metadata is kept."),
    int("node.id").required().min(0).acted("The number of this node in the cluster."),
    list("process.roles").required().one_of(&["broker", "controller"]).acted(
        "What this node is: broker, controller, or both."),
    long("server.max.startup.time.ms").default("9223372036854775807").min(0).internal().known(
        "A server that takes longer to start stops."),
    boolean("unstable.api.versions.enable").default("false").internal().known(
        "Whether unreleased API versions are served."),
    boolean("unstable.feature.versions.enable").default("false").internal().known(
        "Whether unreleased feature versions may be used."),
];
