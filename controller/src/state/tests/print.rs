//! Writes answers, records and images as the scenarios show them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::command::{ApiError, Outcome};
use crate::image::MetadataImage;
use crate::record::MetadataRecord;

pub(super) fn outcome(outcome: &Outcome) -> String {
    let mut out = String::new();
    match outcome {
        Outcome::Bootstrap => {}
        Outcome::RegisterBroker(result) => {
            line(&mut out, "broker", result, |e| format!("epoch {e}"))
        }
        Outcome::UnregisterBroker(result)
        | Outcome::FenceBroker(result)
        | Outcome::UnfenceBroker(result)
        | Outcome::AssignReplicasToDirs(result) => line(&mut out, "broker", result, |()| ok()),
        Outcome::CreateTopics(results) => {
            for topic in results {
                line(&mut out, &topic.name, &topic.result, |created| {
                    let mut text = format!(
                        "{} partition(s), replication factor {}",
                        created.num_partitions, created.replication_factor
                    );
                    for (name, value) in &created.configs {
                        write!(text, ", {name}={value}").unwrap();
                    }
                    text
                });
            }
        }
        Outcome::DeleteTopics(results) => {
            for topic in results {
                let name = topic.name.as_deref().unwrap_or("(no name)");
                line(&mut out, name, &topic.result, |()| ok());
            }
        }
        Outcome::CreatePartitions(results) => {
            for topic in results {
                line(&mut out, &topic.name, &topic.result, |()| ok());
            }
        }
        Outcome::AlterConfigs(results) => {
            for altered in results {
                let resource = &altered.resource;
                let name = format!("{:?} '{}'", resource.kind, resource.name);
                line(&mut out, &name, &altered.result, |()| ok());
            }
        }
        Outcome::AllocateProducerIds(result) => {
            line(&mut out, "block", result, |block| format!("{} from {}", block.len, block.first));
        }
        Outcome::BumpLeaderEpochs(result) => {
            line(&mut out, "partitions", result, |count| count.to_string());
        }
    }
    out
}

fn ok() -> String {
    "ok".to_owned()
}

fn line<T>(
    out: &mut String,
    name: &str,
    result: &Result<T, ApiError>,
    show: impl FnOnce(&T) -> String,
) {
    match result {
        Ok(value) => writeln!(out, "{name}: {}", show(value)).unwrap(),
        Err(ApiError { code, message }) => {
            let message = message.as_deref().unwrap_or("(no message)");
            writeln!(out, "{name}: {} {message}", code.name()).unwrap();
        }
    }
}

/// The kinds of the records and how many there are of each.
pub(super) fn records(records: &[MetadataRecord]) -> String {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for record in records {
        let text = format!("{record:?}");
        let kind = text.split([' ', '(']).next().unwrap().to_owned();
        *kinds.entry(kind).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} x{count}")).collect();
    format!("  logged: {}\n", kinds.join(", "))
}

/// `show brokers`, `show configs`, `show features`, or `show TOPIC`.
pub(super) fn show(image: &MetadataImage, what: &str) -> String {
    let mut out = String::new();
    match what {
        "brokers" => {
            for broker in image.brokers.iter() {
                let state = if broker.fenced { "fenced" } else { "active" };
                write!(out, "{} epoch {} {state}", broker.id, broker.epoch).unwrap();
                if let Some(rack) = &broker.rack {
                    write!(out, " rack {rack}").unwrap();
                }
                writeln!(out).unwrap();
            }
        }
        "configs" => {
            for (resource, configs) in image.configs.iter() {
                write!(out, "{:?} '{}'", resource.kind, resource.name).unwrap();
                for (name, value) in configs {
                    write!(out, " {name}={value}").unwrap();
                }
                writeln!(out).unwrap();
            }
        }
        "features" => {
            let cluster_id = image.cluster_id.as_deref().unwrap_or("(none)");
            writeln!(out, "cluster {cluster_id}").unwrap();
            for (name, level) in image.features.iter() {
                writeln!(out, "{name} {level}").unwrap();
            }
        }
        topic => show_topic(image, topic, &mut out),
    }
    out
}

fn show_topic(image: &MetadataImage, name: &str, out: &mut String) {
    let Some(topic) = image.topics.by_name(name) else {
        writeln!(out, "(no topic {name})").unwrap();
        return;
    };
    for (id, partition) in topic.numbered_partitions() {
        let dirs: Vec<u8> = partition.directories.iter().map(|dir| dir.as_bytes()[15]).collect();
        writeln!(
            out,
            "{name}-{id} leader {} epoch {} partition epoch {} replicas {:?} isr {:?} dirs {dirs:?}",
            partition.leader,
            partition.leader_epoch,
            partition.partition_epoch,
            partition.replicas,
            partition.isr,
        )
        .unwrap();
    }
}
