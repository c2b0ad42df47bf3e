//! CreateTopics: checks what only this request can get wrong, and has the controller decide the rest.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use controller::command::{CreateTopicResult, CreateTopics, CreatedTopic, NewTopic};
use controller::{ApiError, Command, Outcome};
use protocol_codec::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, Request, Response,
};
use protocol_codec::{ErrorCode, StrBytes};

use crate::broker::Broker;
use crate::config::BrokerConfig;
use crate::config::describe;
use crate::context::RequestContext;
use crate::handlers::submit::{submit, unexpected};

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    let config = Arc::clone(&broker.config());
    let (once, twice) = split_repeated(request.topics);
    let command = CreateTopics {
        topics: once.iter().map(new_topic).collect(),
        validate_only: request.validate_only,
        default_num_partitions: config.topics.num_partitions,
        default_replication_factor: config.topics.default_replication_factor,
    };
    let results = match submit(broker, Command::CreateTopics(command), request.timeout_ms).await {
        Ok(Outcome::CreateTopics(results)) => results,
        Ok(other) => all(&once, &unexpected(&other)),
        Err(error) => all(&once, &error),
    };
    let mut topics: Vec<_> = results.into_iter().map(|result| answer(&config, result)).collect();
    let repeated = ApiError::new(ErrorCode::InvalidRequest, "Duplicate topic name.");
    topics.extend(twice.into_iter().map(|name| failure(name, repeated.clone())));
    Response { topics, ..Default::default() }
}

/// The topics that are named once, and the names that are not.
fn split_repeated(topics: Vec<CreatableTopic>) -> (Vec<CreatableTopic>, Vec<StrBytes>) {
    let mut counts: HashMap<StrBytes, usize> = HashMap::new();
    for topic in &topics {
        *counts.entry(topic.name.clone()).or_default() += 1;
    }
    let once = topics.into_iter().filter(|topic| counts.get(&topic.name) == Some(&1)).collect();
    counts.retain(|_, count| *count > 1);
    (once, counts.into_keys().collect())
}

fn new_topic(topic: &CreatableTopic) -> NewTopic {
    let text = |text: &StrBytes| Arc::<str>::from(&**text);
    NewTopic {
        name: text(&topic.name),
        num_partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: topic
            .assignments
            .iter()
            .map(|assigned| (assigned.partition_index, assigned.broker_ids.clone()))
            .collect(),
        configs: topic
            .configs
            .iter()
            .map(|config| (text(&config.name), config.value.as_ref().map(text)))
            .collect(),
    }
}

fn all(topics: &[CreatableTopic], error: &ApiError) -> Vec<CreateTopicResult> {
    let failed = |topic: &CreatableTopic| CreateTopicResult {
        name: Arc::from(&*topic.name),
        result: Err(error.clone()),
    };
    topics.iter().map(failed).collect()
}

fn answer(config: &BrokerConfig, result: CreateTopicResult) -> CreatableTopicResult {
    let name = StrBytes::from(&*result.name);
    match result.result {
        Ok(created) => CreatableTopicResult {
            name,
            topic_id: created.topic_id,
            num_partitions: created.num_partitions,
            replication_factor: created.replication_factor,
            configs: Some(configs(config, &created)),
            error_message: None,
            ..Default::default()
        },
        Err(error) => failure(name, error),
    }
}

fn failure(name: StrBytes, error: ApiError) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code: error.code.into(),
        error_message: error.message.map(StrBytes::from),
        configs: Some(Vec::new()),
        ..Default::default()
    }
}

/// All configs of the new topic, so that a client need not ask for them (KIP-525).
fn configs(config: &BrokerConfig, created: &CreatedTopic) -> Vec<CreatableTopicConfigs> {
    let overrides: BTreeMap<&str, &str> =
        created.configs.iter().map(|(name, value)| (&**name, &**value)).collect();
    let entry = |entry: describe::ConfigEntry| CreatableTopicConfigs {
        name: StrBytes::from(entry.name),
        value: entry.value.map(StrBytes::from),
        read_only: entry.is_read_only,
        config_source: entry.source.wire_id(),
        is_sensitive: entry.is_sensitive,
    };
    describe::topic(config, &overrides).into_iter().map(entry).collect()
}
