//! Values by type and rule, and Kafka's sentences for refused ones.

use super::*;
use crate::config::table::{self, Scope};

fn parse_as(scope: Scope, name: &str, text: &str) -> Result<String, String> {
    let key = table::find(scope, name).unwrap();
    parse(key, name, text).map(|v| v.to_string()).map_err(|e| e.to_string())
}

fn topic(name: &str, text: &str) -> Result<String, String> {
    parse_as(Scope::Topic, name, text)
}

fn broker(name: &str, text: &str) -> Result<String, String> {
    parse_as(Scope::Broker, name, text)
}

#[test]
fn refusals_are_in_kafkas_words() {
    for (name, text, reason) in [
        ("retention.ms", "x", "Not a number of type LONG"),
        ("retention.ms", "-2", "Value must be at least -1"),
        ("segment.bytes", "99999999999", "Not a number of type INT"),
        ("min.cleanable.dirty.ratio", "1.5", "Value must be no more than 1"),
        ("preallocate", "yes", "Expected value to be either true or false"),
        ("message.timestamp.type", "Now", "String must be one of: CreateTime, LogAppendTime"),
        ("compression.gzip.level", "0", "Value must be between 1 and 9 or equal to -1"),
    ] {
        let sentence = format!("Invalid value {text} for configuration {name}: {reason}");
        assert_eq!(topic(name, text).unwrap_err(), sentence);
    }
    for (name, text, sentence) in [
        (
            "cleanup.policy",
            "compact,shred",
            "Invalid value shred for configuration cleanup.policy: \
             String must be one of: compact, delete",
        ),
        (
            "cleanup.policy",
            "compact,,delete",
            "Configuration 'cleanup.policy' values must not be empty.",
        ),
        (
            "leader.replication.throttled.replicas",
            "0:1,x",
            "Invalid value [0:1, x] for configuration leader.replication.throttled.replicas: \
             leader.replication.throttled.replicas must be the literal '*' or a list of replicas \
             in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
        ),
    ] {
        assert_eq!(topic(name, text).unwrap_err(), sentence);
    }
    assert_eq!(
        broker("log.dirs", "").unwrap_err(),
        "Configuration 'log.dirs' must not be empty. Valid values include: any non-empty value"
    );
    assert_eq!(
        parse_as(Scope::Group, "share.auto.offset.reset", "x").unwrap_err(),
        "Invalid value x for configuration share.auto.offset.reset: Invalid value `x` for \
         configuration share.auto.offset.reset. The value must be either 'earliest', 'latest' or \
         of the format 'by_duration:<PnDTnHnMn.nS>'."
    );
}

#[test]
fn values_are_read_leniently_and_shown_in_one_form() {
    assert_eq!(topic("retention.ms", " 5 ").unwrap(), "5");
    assert_eq!(topic("retention.ms", "+5").unwrap(), "5");
    assert_eq!(topic("preallocate", "TRUE").unwrap(), "true");
    assert_eq!(topic("cleanup.policy", "compact , delete").unwrap(), "compact,delete");
    assert_eq!(topic("cleanup.policy", "").unwrap(), "");
    assert_eq!(topic("cleanup.policy", "compact,compact").unwrap(), "compact");
    assert_eq!(topic("min.cleanable.dirty.ratio", "1").unwrap(), "1.0");
    assert_eq!(topic("compression.gzip.level", "-1").unwrap(), "-1");
    assert_eq!(topic("leader.replication.throttled.replicas", "0:1,1:2").unwrap(), "0:1,1:2");
    assert_eq!(topic("leader.replication.throttled.replicas", "*").unwrap(), "*");
    assert!(topic("leader.replication.throttled.replicas", "*,0:1").is_err());
    assert_eq!(broker("ssl.key.password", "secret").unwrap(), HIDDEN);
    assert_eq!(broker("log.cleaner.io.max.bytes.per.second", "1e20").unwrap(), "1.0E20");
    assert_eq!(broker("log.cleaner.io.max.bytes.per.second", "12500000").unwrap(), "1.25E7");
    assert!(broker("log.cleaner.io.max.bytes.per.second", "NaN").is_err());
}

#[test]
fn offset_reset_takes_a_duration() {
    let ok = |text: &str| parse_as(Scope::Group, "share.auto.offset.reset", text).is_ok();
    for good in ["latest", "earliest", "by_duration:PT1H", "by_duration:P1DT2H3M4.5S"] {
        assert!(ok(good), "{good}");
    }
    for bad in ["", "none", "by_duration:", "by_duration:P", "by_duration:PT", "by_duration:1H"] {
        assert!(!ok(bad), "{bad}");
    }
    for bad in ["by_duration:PT1", "by_duration:PT1M1H", "by_duration:PT1.5H", "by_duration:-PT1H"]
    {
        assert!(!ok(bad), "{bad}");
    }
}
