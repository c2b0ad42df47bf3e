//! DescribeLogDirs: which logs lie in which directory, how large they are, and how much room is left.

use std::collections::BTreeMap;

use protocol_codec::messages::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic, Request, Response,
};
use protocol_codec::{ErrorCode, StrBytes};
use storage::TopicPartition;
use storage::log_manager::{LogDescription, LogDirDescription};

use crate::broker::Broker;
use crate::context::RequestContext;

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    let asked = |partition: &TopicPartition| match &request.topics {
        None => true,
        Some(topics) => topics.iter().any(|topic| {
            *topic.topic == *partition.topic && topic.partitions.contains(&partition.partition)
        }),
    };
    let dirs = broker.log_manager().describe_dirs();
    let results = dirs.into_iter().map(|dir| describe(dir, asked)).collect();
    Response { results, ..Default::default() }
}

fn describe(
    dir: LogDirDescription,
    asked: impl Fn(&TopicPartition) -> bool,
) -> DescribeLogDirsResult {
    let error =
        if dir.offline_reason.is_some() { ErrorCode::KafkaStorageError } else { ErrorCode::None };
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for log in dir.logs.iter().filter(|log| asked(&log.partition)) {
        topics.entry(&log.partition.topic).or_default().push(partition(log));
    }
    let topic = |(name, partitions): (&str, Vec<_>)| DescribeLogDirsTopic {
        name: StrBytes::from(name),
        partitions,
    };
    DescribeLogDirsResult {
        error_code: error.into(),
        log_dir: StrBytes::from(dir.path.display().to_string()),
        topics: topics.into_iter().map(topic).collect(),
        total_bytes: dir.total_bytes,
        usable_bytes: dir.usable_bytes,
        is_cordoned: false,
    }
}

fn partition(log: &LogDescription) -> DescribeLogDirsPartition {
    DescribeLogDirsPartition {
        partition_index: log.partition.partition,
        partition_size: i64::try_from(log.size).unwrap_or(i64::MAX),
        // A leader's log is where it should be.
        offset_lag: 0,
        is_future_key: false,
    }
}
