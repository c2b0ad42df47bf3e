//! Topics, made by the wire protocol.

use protocol_codec::ErrorCode;
use protocol_codec::messages::create_topics::{
    self, CreatableTopic, CreatableTopicConfig, CreatableTopicResult,
};

use crate::client::Client;

/// Asks for a topic of unreplicated partitions with these settings. The answer may be an error.
#[must_use]
pub fn try_create_topic(
    client: &mut Client,
    name: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> CreatableTopicResult {
    let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
        name: (*name).into(),
        value: Some((*value).into()),
    };
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    let request =
        create_topics::Request { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
    client.call(7, &request).topics.remove(0)
}

/// Makes a topic.
///
/// # Panics
/// When it is refused.
pub fn create_topic(
    client: &mut Client,
    name: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> CreatableTopicResult {
    let answer = try_create_topic(client, name, partitions, configs);
    assert_eq!(answer.error_code, ErrorCode::None.code(), "{answer:?}");
    answer
}
