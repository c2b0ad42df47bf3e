//! Topics that are created because somebody asked for them: by Metadata, or as an internal topic.
//!
//! As in Kafka the asking request does not wait: it is told that the topic does not exist (yet),
//! and finds it when it asks again.

use std::collections::HashSet;
use std::sync::Arc;

use controller::ControllerHandle;
use controller::command::{Command, CreateTopics, NewTopic, Outcome};
use parking_lot::Mutex;
use protocol_codec::ErrorCode;

use crate::config::{BrokerConfig, LiveConfig};
use crate::group::OFFSETS_TOPIC;

/// Topics that may be under creation at a time; requests for more are passed over until then.
const IN_FLIGHT_MAX: usize = 10_000;

/// Creates topics in the background.
#[derive(Clone, Debug)]
pub struct AutoTopics {
    controller: ControllerHandle,
    config: Arc<LiveConfig>,
    in_flight: Arc<Mutex<HashSet<Arc<str>>>>,
}

impl AutoTopics {
    pub fn new(controller: ControllerHandle, config: Arc<LiveConfig>) -> Self {
        Self { controller, config, in_flight: Arc::default() }
    }

    /// Starts the creation of those topics that are not under way. Their names are legal.
    pub fn create<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let config = self.config.load();
        let mut topics = Vec::new();
        {
            let mut in_flight = self.in_flight.lock();
            for name in names {
                if in_flight.len() >= IN_FLIGHT_MAX {
                    break;
                }
                let name: Arc<str> = name.into();
                if in_flight.insert(name.clone()) {
                    topics.push(new_topic(name, &config));
                }
            }
        }
        if topics.is_empty() {
            return;
        }
        let command = CreateTopics {
            topics,
            validate_only: false,
            default_num_partitions: config.topics.num_partitions,
            default_replication_factor: config.topics.default_replication_factor,
        };
        tokio::spawn(self.clone().submit(command));
    }

    async fn submit(self, command: CreateTopics) {
        let names: Vec<_> = command.topics.iter().map(|topic| topic.name.clone()).collect();
        match self.controller.submit(Command::CreateTopics(command)).await {
            Ok(Outcome::CreateTopics(results)) => {
                for topic in results {
                    match topic.result {
                        Ok(created) => tracing::info!(
                            topic = %topic.name, partitions = created.num_partitions,
                            "Topic created automatically"
                        ),
                        Err(error) if error.code == ErrorCode::TopicAlreadyExists => {}
                        Err(error) => tracing::warn!(
                            topic = %topic.name, "Topic cannot be created automatically: {error}"
                        ),
                    }
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(?names, "Topics cannot be created automatically: {error}"),
        }
        let mut in_flight = self.in_flight.lock();
        for name in &names {
            in_flight.remove(name);
        }
    }
}

fn new_topic(name: Arc<str>, config: &BrokerConfig) -> NewTopic {
    if &*name != OFFSETS_TOPIC {
        let (num_partitions, replication_factor) = (-1, -1);
        return NewTopic { name, num_partitions, replication_factor, ..NewTopic::default() };
    }
    let offsets = &config.offsets;
    let segment_bytes = offsets.offsets_topic_segment_bytes.to_string();
    let configs = [
        ("cleanup.policy", "compact"),
        ("compression.type", "producer"),
        ("segment.bytes", segment_bytes.as_str()),
    ];
    NewTopic {
        name,
        num_partitions: offsets.offsets_topic_num_partitions,
        replication_factor: offsets.offsets_topic_replication_factor,
        configs: configs.map(|(name, value)| (name.into(), Some(value.into()))).to_vec(),
        ..NewTopic::default()
    }
}
