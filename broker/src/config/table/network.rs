//! Listeners, connections and request limits.

use super::row::{ConfigKey, Valid, int, list, long, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    list("advertised.listeners").valid(Valid::NonEmptyList).acted(
        "Where clients are told to connect, as NAME://host:port for each listener. Without it, \
         the listeners themselves, with this machine's name where they have no host."),
    int("connection.failed.authentication.delay.ms").default("100").min(0).known(
        "How long the answer to a failed authentication is held back."),
    long("connections.max.idle.ms").default("600000").acted(
        "A connection without traffic for this long is closed; a negative value never closes \
         one."),
    long("connections.max.reauth.ms").default("0").known(
        "A client that has not authenticated again within this time is disconnected; 0 asks for \
         no re-authentication."),
    list("early.start.listeners").known(
        "Listeners that open before the broker has caught up with the metadata."),
    string("inter.broker.listener.name").acted("The listener that brokers use among themselves."),
    string("listener.security.protocol.map")
        .default("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT")
        .per_broker().acted(
        "The security protocol of each listener name, as NAME:PROTOCOL. Only PLAINTEXT \
         listeners work in this release."),
    list("listeners").default("PLAINTEXT://:9092").valid(Valid::NonEmptyList).per_broker().acted(
        "Where the broker listens, as NAME://host:port. Without a host it listens on every \
         address."),
    int("max.connection.creation.rate").default("2147483647").min(0).cluster_wide().known(
        "Most new connections a second, of all listeners together or of one with the listener \
         prefix."),
    int("max.connections").default("2147483647").min(0).cluster_wide().acted(
        "Most connections at a time."),
    int("max.connections.per.ip").default("2147483647").min(0).cluster_wide().acted(
        "Most connections at a time from one address."),
    string("max.connections.per.ip.overrides").default("").cluster_wide().acted(
        "Limits for single addresses or host names, as host:limit, instead of \
         max.connections.per.ip."),
    int("max.incremental.fetch.session.cache.slots").default("1000").min(0).acted(
        "Most incremental fetch sessions that are remembered."),
    int("max.request.partition.size.limit").default("2000").min(1).acted(
        "Most partitions in the answer to one DescribeTopicPartitions."),
    int("num.io.threads").default("8").min(1).cluster_wide().known(
        "Request handler threads of Kafka's kind. Here the runtime has a thread for each core."),
    int("num.network.threads").default("3").min(1).cluster_wide().known(
        "Network threads of Kafka's kind. Here the runtime has a thread for each core."),
    long("queued.max.request.bytes").default("-1").acted(
        "Most bytes of requests that are held in memory before no more are read; -1 leaves it \
         to the memory there is."),
    int("queued.max.requests").default("500").min(1).known(
        "Most requests that wait in Kafka's request queue."),
    int("request.timeout.ms").default("30000").known(
        "How long a broker waits for the answer to a request of its own."),
    long("socket.connection.setup.timeout.max.ms").default("30000").known(
        "Longest wait for a connection to another broker to be set up."),
    long("socket.connection.setup.timeout.ms").default("10000").known(
        "First wait for a connection to another broker to be set up."),
    int("socket.listen.backlog.size").default("50").min(1).acted(
        "Connections that may wait to be accepted."),
    int("socket.receive.buffer.bytes").default("102400").acted(
        "Receive buffer of client sockets; -1 leaves it to the system."),
    int("socket.request.max.bytes").default("104857600").min(1).acted(
        "Largest request that is read; a longer one closes the connection."),
    int("socket.send.buffer.bytes").default("102400").acted(
        "Send buffer of client sockets; -1 leaves it to the system."),
];
