//! Loading whole configurations, and the sentences for what is refused.

use std::fs;

use super::*;

fn load(text: &str) -> Result<Loaded, String> {
    load_with(text, &[], &[])
}

fn load_with(text: &str, env: &[(&str, &str)], overrides: &[&str]) -> Result<Loaded, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.properties");
    fs::write(&path, text).unwrap();
    let sources = Sources {
        file: Some(path.clone()),
        overrides: overrides.iter().map(|o| (*o).to_owned()).collect(),
        environment: env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
    };
    let shorten = |text: String| text.replace(&*path.to_string_lossy(), "server.properties");
    match BrokerConfig::load(&sources) {
        Ok(mut loaded) => {
            loaded.warnings = loaded.warnings.into_iter().map(shorten).collect();
            Ok(loaded)
        }
        Err(error) => Err(shorten(error.to_string())),
    }
}

#[test]
fn zero_configuration_is_one_node_on_localhost() {
    let loaded = BrokerConfig::load(&Sources::default()).unwrap();
    let config = loaded.config;
    assert_eq!(config.node_id, 1);
    assert_eq!(config.listeners.bound, [Endpoint::parse("PLAINTEXT://localhost:9092").unwrap()]);
    assert_eq!(config.listeners.advertised, config.listeners.bound);
    assert_eq!(config.storage.log_dirs, [PathBuf::from("./barnabas-data")]);
    assert_eq!(config.controller.metadata_log_dir, PathBuf::from("./barnabas-data"));
    assert_eq!(config.offsets.offsets_topic_replication_factor, 1);
    assert_eq!(config.offsets.offsets_retention_ms, 7 * 24 * 3_600_000);
    assert_eq!(config.groups.group_initial_rebalance_delay_ms, 3000);
    assert_eq!(config.durability, Durability::PowerLoss);
    assert_eq!((loaded.warnings, loaded.notes), (vec![], vec![]));
}

/// The file that comes with Kafka 4: it must start unchanged.
#[test]
fn kafkas_own_example_file_is_accepted() {
    let text = "process.roles=broker,controller\nnode.id=1\n\
        controller.quorum.bootstrap.servers=localhost:9093\n\
        listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n\
        advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
        controller.listener.names=CONTROLLER\n\
        listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL\n\
        num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\n\
        socket.receive.buffer.bytes=102400\nsocket.request.max.bytes=104857600\n\
        log.dirs=/tmp/kraft-combined-logs\nnum.partitions=1\nnum.recovery.threads.per.data.dir=2\n\
        offsets.topic.replication.factor=1\nshare.coordinator.state.topic.replication.factor=1\n\
        share.coordinator.state.topic.min.isr=1\ntransaction.state.log.replication.factor=1\n\
        transaction.state.log.min.isr=1\nlog.retention.hours=168\nlog.segment.bytes=1073741824\n\
        log.retention.check.interval.ms=300000\n";
    let loaded = load(text).unwrap();
    assert_eq!(loaded.config.listeners.bound.len(), 1);
    assert_eq!(loaded.config.listeners.controller.len(), 1);
    assert_eq!(loaded.config.listeners.advertised[0].to_string(), "PLAINTEXT://localhost:9092");
    assert_eq!(loaded.notes, ["CONTROLLER://:9093: not opened, one voter needs no quorum traffic"]);
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    assert!(loaded.warnings[0].ends_with("are known but have no effect yet"));
}

#[test]
fn refusals_are_one_sentence_with_place_key_value_and_what_is_allowed() {
    for (text, sentence) in [
        (
            "\nnum.partitions=0",
            "server.properties:2: num.partitions=0 is not valid: allowed is a whole number from 1 to 2147483647",
        ),
        (
            "log.message.timestamp.type=now",
            "server.properties:1: log.message.timestamp.type=now is not valid: allowed is CreateTime | LogAppendTime",
        ),
        (
            "sasl.login.refresh.buffer.seconds=x",
            "server.properties:1: sasl.login.refresh.buffer.seconds=x is not valid: allowed is a whole number from -32768 to 32767",
        ),
        (
            "listeners=9092",
            "server.properties:1: listeners=9092: \"9092\" is no listener; give it as NAME://host:port",
        ),
        (
            "listeners=A://:1,A://:2",
            "server.properties:1: listeners=A://:1,A://:2: Each listener must have a different name",
        ),
        (
            "listeners=A://:1",
            "server.properties:1: listeners=A://:1: listener.security.protocol.map does not say which protocol listener A has; add A:PLAINTEXT",
        ),
        (
            "listeners=SSL://:1",
            "server.properties:1: listeners=SSL://:1: listener SSL asks for SSL, which is not there yet: only PLAINTEXT listeners work in this release",
        ),
        (
            "advertised.listeners=X://h:1",
            "server.properties:1: advertised.listeners=X://h:1: listener X is none of listeners (PLAINTEXT)",
        ),
        (
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "server.properties:1: authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer: this protects something and is not there yet, so the broker does not start with it; remove the setting to run without that protection",
        ),
        (
            "log.retention.hours=0",
            "server.properties:1: log.retention.hours=0: must be unlimited (-1) or, greater than or equal to 1",
        ),
        (
            "group.min.session.timeout.ms=9\ngroup.max.session.timeout.ms=8",
            "server.properties:1: group.min.session.timeout.ms=9 must not be greater than group.max.session.timeout.ms=8",
        ),
        (
            "node.id=1\nbroker.id=2",
            "server.properties:1: node.id=1: You must set node.id to the same value as broker.id (2)",
        ),
        (
            "controller.quorum.voters=2@h:9093",
            "server.properties:1: controller.quorum.voters=2@h:9093: the node id 1 must be included in the set of voters",
        ),
        (
            "process.roles=controller",
            "server.properties:1: process.roles=controller: this release runs one node that is broker and controller; a cluster comes in a later one",
        ),
        (
            "a=\\u12",
            "server.properties, line 1: malformed \\uXXXX escape, four hexadecimal digits must follow \\u",
        ),
    ] {
        assert_eq!(load(text).unwrap_err(), sentence);
    }
}

#[test]
fn a_meta_address_is_not_advertised() {
    let error = load("listeners=PLAINTEXT://0.0.0.0:9092").unwrap_err();
    assert!(error.contains("cannot use the nonroutable meta-address 0.0.0.0"), "{error}");
    assert!(error.contains("for example advertised.listeners=PLAINTEXT://"), "{error}");
}

#[test]
fn protecting_keys_at_their_harmless_values_start() {
    let text = "authorizer.class.name=\nsecurity.inter.broker.protocol=PLAINTEXT\n\
        principal.builder.class=org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder";
    assert!(load(text).is_ok());
    assert!(load("create.topic.policy.class.name=com.example.P").is_err());
}

#[test]
fn warnings_name_typos_dropped_keys_and_duplicates() {
    let text = "num.partitons=3\nzookeeper.connect=z:2181\nlog.dirs=/a\nlog.dirs=/b\n\
        com.example.key=1\nnum.io.threads=9\nsuper.users=User:a";
    let warnings = load(text).unwrap().warnings;
    assert_eq!(
        warnings,
        [
            "server.properties:4: log.dirs is also in line 3; this one counts",
            "server.properties:5: com.example.key is unknown",
            "server.properties:1: num.partitons is unknown; did you mean num.partitions?",
            "server.properties:7: super.users is ignored: it has no effect without an authorizer",
            "server.properties:2: zookeeper.connect is ignored: Kafka 4 dropped it with ZooKeeper",
            "num.io.threads is known but has no effect yet",
        ]
    );
}

#[test]
fn the_command_line_beats_the_environment_beats_the_file() {
    let text = "num.partitions=1\nbroker.rack=a\nlog.dirs=/x";
    let env = [("KAFKA_NUM_PARTITIONS", "2"), ("KAFKA_BROKER_RACK", "b")];
    let loaded = load_with(text, &env, &["num.partitions=3"]).unwrap();
    assert_eq!(loaded.config.topics.num_partitions, 3);
    assert_eq!(loaded.config.rack.as_deref(), Some("b"));
    assert_eq!(loaded.config.storage.log_dirs, [PathBuf::from("/x")]);
    let error = load_with(text, &[], &["num.partitions"]).unwrap_err();
    assert_eq!(error, "--override num.partitions: give it as key=value");
    let error = load_with(text, &[("KAFKA_NUM_PARTITIONS", "x")], &[]).unwrap_err();
    assert!(error.starts_with("environment variable KAFKA_NUM_PARTITIONS: num.partitions=x"));
}

#[test]
fn a_replication_factor_above_the_cluster_size_is_capped_and_said() {
    let loaded = load("offsets.topic.replication.factor=3").unwrap();
    assert_eq!(loaded.config.offsets.offsets_topic_replication_factor, 1);
    assert!(loaded.warnings[1].contains("one broker can keep one replica"));
    assert!(
        loaded.warnings[0].starts_with("log.dirs is not set: the data goes to Kafka's default")
    );
    assert!(load("log.dirs=/x").unwrap().warnings.is_empty());
}

#[test]
fn a_free_port_is_advertised_once_it_is_known() {
    let loaded = load("listeners=PLAINTEXT://localhost:0").unwrap();
    let resolved = loaded.config.listeners.advertised_as_bound(|_| Some(4711));
    assert_eq!(resolved[0].to_string(), "PLAINTEXT://localhost:4711");
}

/// What testcontainers sets, and what the compose files of Kafka's documentation set.
#[test]
fn the_environments_of_well_known_containers_start() {
    let environment = [
        ("CLUSTER_ID", "5L6g3nShT-eMCtK--X86sw"),
        ("KAFKA_ADVERTISED_LISTENERS", "TC-0://localhost:32768,BROKER://b6f1:9093"),
        ("KAFKA_BROKER_ID", "1"),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9094"),
        ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
        ("KAFKA_INTER_BROKER_LISTENER_NAME", "BROKER"),
        ("KAFKA_LISTENERS", "TC-0://0.0.0.0:9092,BROKER://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094"),
        (
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
            "BROKER:PLAINTEXT,TC-0:PLAINTEXT,CONTROLLER:PLAINTEXT",
        ),
        ("KAFKA_LOG_FLUSH_INTERVAL_MESSAGES", "9223372036854775807"),
        ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
        ("KAFKA_PROCESS_ROLES", "broker,controller"),
    ];
    let config = load_with("log.dirs=/data", &environment, &[]).unwrap().config;
    assert_eq!(config.cluster_id.as_deref(), Some("5L6g3nShT-eMCtK--X86sw"));
    assert_eq!(config.node_id, 1);
    let shown: Vec<String> = config.listeners.advertised.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["TC-0://localhost:32768", "BROKER://b6f1:9093"]);
    assert_eq!(config.listeners.inter_broker, "BROKER");
    assert_eq!(config.groups.group_initial_rebalance_delay_ms, 0);
}

/// One node out of a cluster's configuration must not start as a cluster of its own.
#[test]
fn a_node_of_a_larger_cluster_is_refused() {
    let voters = "controller.quorum.voters=1@a:9093,2@b:9093,3@c:9093";
    assert!(load(voters).unwrap_err().contains("this release runs one node"));
    let servers = "controller.quorum.bootstrap.servers=a:9093,b:9093";
    assert!(load(servers).unwrap_err().contains("this release runs one node"));
}

#[test]
fn a_bad_node_id_is_named_as_it_was_given() {
    let error = load("node.id=x").unwrap_err();
    assert!(error.starts_with("server.properties:1: node.id=x is not valid"), "{error}");
    let error = load("broker.id=x").unwrap_err();
    assert!(error.starts_with("server.properties:1: broker.id=x is not valid"), "{error}");
    assert_eq!(load("broker.id=7").unwrap().config.node_id, 7);
}
