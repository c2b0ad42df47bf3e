//! Refusals as a Kafka 4.4.0 broker words them.

use super::*;
use crate::config::Sources;

fn config() -> BrokerConfig {
    BrokerConfig::load(&Sources::default()).unwrap().config
}

fn config_error(result: Result<(), AlterError>) -> String {
    match result {
        Err(InvalidConfig(sentence)) => sentence,
        other => panic!("not INVALID_CONFIG: {other:?}"),
    }
}

fn request_error(result: Result<(), AlterError>) -> String {
    match result {
        Err(InvalidRequest(sentence)) => sentence,
        other => panic!("not INVALID_REQUEST: {other:?}"),
    }
}

#[test]
fn topic_configs() {
    let check =
        |pairs: &[(&str, &str)]| config().validate_topic_configs(&pairs.iter().copied().collect());
    assert_eq!(check(&[("retention.ms", "5"), ("cleanup.policy", "compact,delete")]), Ok(()));
    for (pairs, sentence) in [
        (&[("bogus", "1")][..], "Unknown topic config name: bogus"),
        (
            &[("retention.ms", "zz")],
            "Invalid value zz for configuration retention.ms: Not a number of type LONG",
        ),
        (
            &[("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")],
            "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
        ),
        (
            &[("remote.storage.enable", "true")],
            "Tiered Storage functionality is disabled in the broker. \
             Topic cannot be configured with remote log storage.",
        ),
    ] {
        assert_eq!(config_error(check(pairs)), sentence);
    }
}

#[test]
fn broker_configs() {
    let check = |one: bool, name: &str, text: &str| {
        config().validate_broker_configs(one, &[(name, text)].into())
    };
    for (name, text) in [
        ("message.max.bytes", "2000000"),
        ("bogus.key", "1"),
        ("log.cleanup.policy", "delete,compact"),
        ("max.connections", "7"),
        ("log.retention.ms", "-1"),
        ("log.cleaner.threads", "2"),
    ] {
        assert_eq!(check(true, name, text), Ok(()), "{name}");
        assert_eq!(check(false, name, text), Ok(()), "{name}");
    }
    assert_eq!(check(true, "ssl.client.auth", "none"), Ok(()));
    for (one, name, text, sentence) in [
        (true, "num.partitions", "3", "Cannot update these configs dynamically: [num.partitions]"),
        (
            false,
            "ssl.client.auth",
            "none",
            "Cannot update these configs at default cluster level, broker id must be specified: \
             [ssl.client.auth]",
        ),
        (
            false,
            "listener.name.plaintext.ssl.client.auth",
            "none",
            "Cannot update these configs at default cluster level, broker id must be specified: \
             [listener.name.plaintext.ssl.client.auth]",
        ),
        (
            true,
            "ssl.keystore.location",
            "/x",
            "These security configs can be dynamically updated only per-listener using the \
             listener prefix: [ssl.keystore.location]",
        ),
        (
            true,
            "message.max.bytes",
            "-1",
            "Invalid value -1 for configuration message.max.bytes: Value must be at least 0",
        ),
        (
            true,
            "log.retention.ms",
            "0",
            "log.retention.ms=0: must be unlimited (-1) or, greater than or equal to 1",
        ),
        (true, "log.cleaner.threads", "0", "Log cleaner threads should be at least 1"),
        (
            false,
            "log.cleaner.threads",
            "3",
            "Invalid value org.apache.kafka.common.config.ConfigException: Log cleaner threads cannot be increased to more than double the current value 1 for configuration Invalid dynamic configuration",
        ),
        (
            true,
            "principal.builder.class",
            "com.example.Builder",
            "principal.builder.class: this protects something and is not there yet",
        ),
    ] {
        assert_eq!(request_error(check(one, name, text)), sentence);
    }
    assert!(check(true, "listeners", "PLAINTEXT://:1").is_err());
    assert!(check(true, "max.connections.per.ip", "0").is_err());
}

#[test]
fn group_configs() {
    let check =
        |name: &str, text: &str| config().validate_group_configs("g", &[(name, text)].into());
    assert_eq!(check("consumer.session.timeout.ms", "50000"), Ok(()));
    assert_eq!(check("share.isolation.level", "read_committed"), Ok(()));
    for (name, text, sentence) in [
        (
            "consumer.session.timeout.ms",
            "1",
            "consumer.session.timeout.ms must be in the range 45000 to 60000 inclusive.",
        ),
        (
            "share.record.lock.duration.ms",
            "999999",
            "share.record.lock.duration.ms must be in the range 15000 to 60000 inclusive.",
        ),
        (
            "share.delivery.count.limit",
            "99",
            "share.delivery.count.limit must be in the range 2 to 10 inclusive.",
        ),
        (
            "streams.num.standby.replicas",
            "99",
            "streams.num.standby.replicas must be less than or equal to 2",
        ),
        ("bogus", "1", "Unknown group config name: bogus"),
    ] {
        assert_eq!(config_error(check(name, text)), sentence);
    }
    let default = config().validate_group_configs("", &Configs::new());
    assert_eq!(request_error(default), "Default group resources are not allowed.");
}

#[test]
fn client_metrics_configs() {
    let check =
        |name: &str, text: &str| validate_client_metrics_configs("s", &[(name, text)].into());
    assert_eq!(check("match", "client_id=a,client_software_name=b"), Ok(()));
    assert_eq!(check("interval.ms", "100000"), Ok(()));
    assert_eq!(
        request_error(check("interval.ms", "1")),
        "Invalid value 1 for interval.ms, interval must be between 100 and 3600000 (1 hour)"
    );
    assert_eq!(
        config_error(check("interval.ms", "x")),
        "Invalid value x for configuration interval.ms: Not a number of type INT"
    );
    assert_eq!(request_error(check("bogus", "x")), "Unknown client metrics configuration: bogus");
    assert_eq!(config_error(check("match", "foo=a")), "Illegal client matching pattern: foo=a");
}

#[test]
fn lists_and_broker_names() {
    assert!(is_list(Scope::Topic, "cleanup.policy"));
    assert!(!is_list(Scope::Topic, "retention.ms"));
    assert_eq!(list_default(Scope::Broker, "log.cleanup.policy"), Some("delete"));
    assert_eq!(broker_of("", 1), Ok(None));
    assert_eq!(broker_of("1", 1), Ok(Some(1)));
    assert!(broker_of("7", 1).is_err());
    assert!(broker_of("x", 1).is_err());
}
