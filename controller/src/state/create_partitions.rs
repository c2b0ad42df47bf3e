//! CreatePartitions: a topic gets more partitions, never fewer.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol_codec::ErrorCode;

use super::create_topics::{assigned_partition, new_partition};
use super::random::SeededRandom;
use super::{Context, RECORDS_PER_USER_OP_MAX, placement};
use crate::command::{ApiError, CreatePartitionsResult, NewPartitions};
use crate::image::MetadataImage;
use crate::image::topics::{PartitionRegistration, TopicImage};
use crate::record::MetadataRecord;

/// Answers come in the order of the request; a topic that is named twice is refused once.
pub(super) fn decide(
    image: &MetadataImage,
    topics: &[NewPartitions],
    context: &Context<'_>,
    out: &mut Vec<MetadataRecord>,
) -> Vec<CreatePartitionsResult> {
    let mut random = SeededRandom::new(context.seed);
    let mut times: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
    for topic in topics {
        *times.entry(&topic.name).or_default() += 1;
    }
    if too_many_partitions(image, topics) {
        let error = ApiError::new(
            ErrorCode::PolicyViolation,
            "Excessively large number of additional partitions per request.",
        );
        let names = times.into_keys().cloned();
        return names
            .map(|name| CreatePartitionsResult { name, result: Err(error.clone()) })
            .collect();
    }
    let mut results = Vec::with_capacity(topics.len());
    for topic in topics {
        let result = match times.get(&topic.name) {
            Some(1) => add_partitions(image, topic, &mut random, out),
            Some(_) => {
                times.remove(&topic.name);
                Err(ApiError::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
            }
            None => continue,
        };
        results.push(CreatePartitionsResult { name: topic.name.clone(), result });
    }
    results
}

/// The limit on one request holds before anything is placed or allocated.
fn too_many_partitions(image: &MetadataImage, topics: &[NewPartitions]) -> bool {
    let total: i64 = topics
        .iter()
        .filter_map(|topic| {
            let current = image.topics.by_name(&topic.name)?.partition_count();
            Some((i64::from(topic.count) - i64::from(current)).max(0))
        })
        .sum();
    usize::try_from(total).is_ok_and(|total| total > RECORDS_PER_USER_OP_MAX)
}

fn add_partitions(
    image: &MetadataImage,
    request: &NewPartitions,
    random: &mut SeededRandom,
    out: &mut Vec<MetadataRecord>,
) -> Result<(), ApiError> {
    let Some(topic) = image.topics.by_name(&request.name) else {
        return Err(ApiError::bare(ErrorCode::UnknownTopicOrPartition));
    };
    let additional = additional_partitions(request, topic)?;
    let replicas = topic.partition(0).map_or(0, |partition| partition.replicas.len());
    let added = match &request.assignments {
        Some(assignments) => (topic.partition_count()..)
            .zip(assignments)
            .map(|(id, brokers)| assigned_partition(image, id, brokers, Some(replicas)))
            .collect::<Result<Vec<_>, _>>()?,
        None => placed(image, additional, replicas, random)?,
    };
    for (partition_id, registration) in (topic.partition_count()..).zip(added) {
        out.push(MetadataRecord::Partition { topic_id: topic.id, partition_id, registration });
    }
    Ok(())
}

fn additional_partitions(request: &NewPartitions, topic: &TopicImage) -> Result<usize, ApiError> {
    let current = topic.partition_count();
    let invalid = |message| Err(ApiError::new(ErrorCode::InvalidPartitions, message));
    if request.count == current {
        return invalid(format!("Topic already has {current} partition(s)."));
    }
    let additional = match usize::try_from(i64::from(request.count) - i64::from(current)) {
        Ok(additional) => additional,
        Err(_) => {
            return invalid(format!(
                "The topic {} currently has {current} partition(s); {} would not be an increase.",
                request.name, request.count
            ));
        }
    };
    match &request.assignments {
        Some(assignments) if assignments.len() != additional => Err(ApiError::new(
            ErrorCode::InvalidReplicaAssignment,
            format!(
                "Attempted to add {additional} additional partition(s), but only {} assignment(s) \
                 were specified.",
                assignments.len()
            ),
        )),
        Some(_) | None => Ok(additional),
    }
}

fn placed(
    image: &MetadataImage,
    count: usize,
    replicas: usize,
    random: &mut SeededRandom,
) -> Result<Vec<PartitionRegistration>, ApiError> {
    let error = |message| ApiError::new(ErrorCode::InvalidReplicationFactor, message);
    let replication_factor = i16::try_from(replicas).unwrap_or(i16::MAX);
    placement::place(&image.brokers, count, replication_factor, random)
        .map_err(|reason| error(reason.to_string()))?
        .into_iter()
        .map(|brokers| {
            new_partition(image, brokers).ok_or_else(|| {
                error(format!(
                    "Unable to replicate the partition {replicas} time(s): All brokers are \
                     currently fenced or in controlled shutdown."
                ))
            })
        })
        .collect()
}
