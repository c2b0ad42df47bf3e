//! Reads the commands of a scenario.

use protocol_codec::Uuid;

use crate::command::{
    AlterConfigs, Command, ConfigChange, ConfigOperation, ConfigOperations, CreateTopics,
    NewPartitions, NewTopic, RegisterBroker, ReplicaDirectory, TopicRef,
};
use crate::image::MetadataImage;
use crate::image::configs::{ConfigResource, ConfigResourceType};

pub(super) fn command(line: &str, image: &MetadataImage) -> Command {
    let mut words = line.split(' ');
    let verb = words.next().unwrap();
    let words: Vec<&str> = words.collect();
    let epoch = |id: i32| image.brokers.get(id).map_or(-1, |broker| broker.epoch);
    let broker = || {
        let broker_id = number(words[0]);
        let stale = words.contains(&"stale");
        (broker_id, if stale { epoch(broker_id) - 1 } else { epoch(broker_id) })
    };
    match verb {
        "bootstrap" => Command::Bootstrap { cluster_id: words[0].into() },
        "register" => Command::RegisterBroker(register(&words)),
        "unregister" => Command::UnregisterBroker { broker_id: number(words[0]) },
        "fence" => {
            let (broker_id, broker_epoch) = broker();
            Command::FenceBroker { broker_id, broker_epoch }
        }
        "unfence" => {
            let (broker_id, broker_epoch) = broker();
            Command::UnfenceBroker { broker_id, broker_epoch }
        }
        "allocate" => {
            let (broker_id, broker_epoch) = broker();
            Command::AllocateProducerIds { broker_id, broker_epoch }
        }
        "bump" => {
            let (broker_id, broker_epoch) = broker();
            Command::BumpLeaderEpochs { broker_id, broker_epoch }
        }
        "assign-dir" => {
            let broker_id = number(words[0]);
            let (topic, partition_id) = words[1].rsplit_once('-').unwrap();
            let replica = ReplicaDirectory {
                topic_id: topic_id(topic, image),
                partition_id: number(partition_id),
                directory: directory(number(words[2])),
            };
            let broker_epoch = epoch(broker_id);
            Command::AssignReplicasToDirs { broker_id, broker_epoch, replicas: vec![replica] }
        }
        "create" => Command::CreateTopics(create(&words)),
        "delete" => Command::DeleteTopics {
            topics: words.iter().map(|word| topic_ref(word, image)).collect(),
        },
        "partitions" => Command::CreatePartitions {
            topics: words.split(|word| *word == "|").map(new_partitions).collect(),
            validate_only: false,
        },
        "alter" => Command::AlterConfigs(AlterConfigs {
            changes: words.split(|word| *word == "|").map(incremental).collect(),
            validate_only: false,
        }),
        "replace" => Command::AlterConfigs(AlterConfigs {
            changes: vec![ConfigChange {
                resource: resource(words[0]),
                operations: ConfigOperations::Replace(
                    words[1..].iter().map(|word| setting(word)).collect(),
                ),
            }],
            validate_only: false,
        }),
        other => panic!("unknown command {other}"),
    }
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

/// The directory of this number.
pub(super) fn directory(number: u8) -> Uuid {
    let mut bytes = [0; 16];
    bytes[15] = number;
    Uuid::from_bytes(bytes)
}

fn register(words: &[&str]) -> RegisterBroker {
    let mut request = RegisterBroker { broker_id: number(words[0]), ..RegisterBroker::default() };
    for word in &words[1..] {
        match word.split_once('=').unwrap() {
            ("rack", rack) => request.rack = Some(rack.into()),
            ("dirs", dirs) => {
                request.log_dirs = dirs.split(',').map(|dir| directory(number(dir))).collect();
            }
            ("cluster", id) => request.cluster_id = Some(id.into()),
            (other, _) => panic!("unknown {other}"),
        }
    }
    request
}

/// `create [validate-only] NAME [partitions=N] [rf=N] [assign=0:1,2;1:2,1] [key=value]... [| NAME ...]`
fn create(words: &[&str]) -> CreateTopics {
    let validate_only = words.first() == Some(&"validate-only");
    let words = if validate_only { &words[1..] } else { words };
    CreateTopics {
        topics: words.split(|word| *word == "|").map(new_topic).collect(),
        validate_only,
        default_num_partitions: 2,
        default_replication_factor: 1,
    }
}

fn new_topic(words: &[&str]) -> NewTopic {
    let mut topic = NewTopic {
        name: words[0].replace("(empty)", "").into(),
        num_partitions: -1,
        replication_factor: -1,
        ..NewTopic::default()
    };
    for word in &words[1..] {
        match word.split_once('=') {
            Some(("partitions", count)) => topic.num_partitions = number(count),
            Some(("rf", factor)) => topic.replication_factor = number(factor),
            Some(("assign", assignments)) => {
                topic.assignments = assignments
                    .split(';')
                    .map(|assignment| {
                        let (partition, brokers) = assignment.split_once(':').unwrap();
                        (number(partition), ids(brokers))
                    })
                    .collect();
            }
            Some((name, value)) => topic.configs.push((name.into(), Some(value.into()))),
            None => topic.configs.push(((*word).into(), None)),
        }
    }
    topic
}

fn ids(text: &str) -> Vec<i32> {
    text.split(',').filter(|id| !id.is_empty()).map(number).collect()
}

/// `NAME`, `#NAME` for its id, `#?` for an id of nobody, `-` for neither, `NAME#` for both.
fn topic_ref(word: &str, image: &MetadataImage) -> TopicRef {
    match (word, word.strip_prefix('#'), word.strip_suffix('#')) {
        ("-", ..) => TopicRef::default(),
        (_, Some("?"), _) => TopicRef { name: None, id: directory(200) },
        (_, Some(name), _) => TopicRef { name: None, id: topic_id(name, image) },
        (_, _, Some(name)) => TopicRef { name: Some(name.into()), id: topic_id(name, image) },
        (name, ..) => TopicRef { name: Some(name.into()), id: Uuid::ZERO },
    }
}

fn topic_id(name: &str, image: &MetadataImage) -> Uuid {
    image.topics.by_name(name).map_or(directory(200), |topic| topic.id)
}

/// `NAME COUNT [1,2;2,1]`
fn new_partitions(words: &[&str]) -> NewPartitions {
    NewPartitions {
        name: words[0].into(),
        count: number(words[1]),
        assignments: words.get(2).map(|text| text.split(';').map(ids).collect()),
    }
}

/// `KIND:NAME`
fn resource(word: &str) -> ConfigResource {
    let (kind, name) = word.split_once(':').unwrap();
    let kind = match kind {
        "topic" => ConfigResourceType::Topic,
        "broker" => ConfigResourceType::Broker,
        "group" => ConfigResourceType::Group,
        "client-metrics" => ConfigResourceType::ClientMetrics,
        other => panic!("unknown resource {other}"),
    };
    ConfigResource::new(kind, name)
}

/// `RESOURCE key=value key+=value key-=value -key`
fn incremental(words: &[&str]) -> ConfigChange {
    let operations = words[1..].iter().map(|word| {
        if let Some(name) = word.strip_prefix('-') {
            return (name.into(), ConfigOperation::Delete);
        }
        let (name, value) = setting(word);
        match (name.strip_suffix('+'), name.strip_suffix('-')) {
            (Some(name), _) => (name.into(), ConfigOperation::Append(value)),
            (_, Some(name)) => (name.into(), ConfigOperation::Subtract(value)),
            (None, None) => (name, ConfigOperation::Set(value)),
        }
    });
    let operations = ConfigOperations::Incremental(operations.collect());
    ConfigChange { resource: resource(words[0]), operations }
}

/// `key=value`, or `key` without a value.
fn setting(word: &str) -> (std::sync::Arc<str>, Option<std::sync::Arc<str>>) {
    match word.split_once('=') {
        Some((name, value)) => {
            (name.into(), Some(value.replace("(long)", &"x".repeat(32768)).into()))
        }
        None => (word.into(), None),
    }
}
