//! CreateTopics: names, assignments or placement, configs; each topic succeeds or fails alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol_codec::ErrorCode;
use protocol_codec::Uuid;

use super::placement;
use super::random::SeededRandom;
use super::{Context, RECORDS_PER_USER_OP_MAX, topic_name};
use crate::command::{ApiError, CreateTopicResult, CreateTopics, CreatedTopic, NewTopic};
use crate::config_rules::ConfigMap;
use crate::image::MetadataImage;
use crate::image::configs::ConfigResource;
use crate::image::topics::{LEADER_RECOVERED, PartitionRegistration, UNASSIGNED_DIRECTORY};
use crate::record::MetadataRecord;

/// Answers come in the order of the request, duplicates and the metadata topic after them.
pub(super) fn decide(
    image: &MetadataImage,
    request: &CreateTopics,
    context: &Context<'_>,
    out: &mut Vec<MetadataRecord>,
) -> Vec<CreateTopicResult> {
    let mut random = SeededRandom::new(context.seed);
    let mut times: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
    for topic in &request.topics {
        *times.entry(&topic.name).or_default() += 1;
    }
    if let Some(error) = too_many_partitions(request, &times) {
        let names: BTreeSet<&Arc<str>> = times.into_keys().collect();
        return names.into_iter().map(|name| failed(name, error.clone())).collect();
    }

    let mut results = Vec::with_capacity(request.topics.len());
    let mut last_results = Vec::new();
    for topic in &request.topics {
        match times.get(&topic.name) {
            Some(1) if &*topic.name == topic_name::CLUSTER_METADATA_TOPIC => {
                let message = "Creation of internal topic __cluster_metadata is prohibited.";
                last_results.push(failed(&topic.name, invalid_request(message)));
            }
            Some(1) => {
                let result = create(image, request, topic, context, &mut random, out);
                results.push(CreateTopicResult { name: topic.name.clone(), result });
            }
            Some(_) => {
                times.remove(&topic.name);
                last_results.push(failed(&topic.name, invalid_request("Duplicate topic name.")));
            }
            None => {}
        }
    }
    results.append(&mut last_results);
    if request.validate_only {
        out.clear();
    }
    results
}

/// The limit on one request holds before anything is placed or allocated.
fn too_many_partitions(
    request: &CreateTopics,
    times: &BTreeMap<&Arc<str>, usize>,
) -> Option<ApiError> {
    let total: usize = request
        .topics
        .iter()
        .filter(|topic| times.get(&topic.name) == Some(&1))
        .map(|topic| match topic.num_partitions {
            _ if !topic.assignments.is_empty() => topic.assignments.len(),
            -1 => usize::try_from(request.default_num_partitions).unwrap_or(0),
            count => usize::try_from(count).unwrap_or(0),
        })
        .fold(0, usize::saturating_add);
    (total > RECORDS_PER_USER_OP_MAX).then(|| {
        ApiError::new(
            ErrorCode::PolicyViolation,
            "Excessively large number of partitions per request.",
        )
    })
}

fn create(
    image: &MetadataImage,
    request: &CreateTopics,
    topic: &NewTopic,
    context: &Context<'_>,
    random: &mut SeededRandom,
    out: &mut Vec<MetadataRecord>,
) -> Result<CreatedTopic, ApiError> {
    check_name(image, &topic.name)?;
    let configs = checked_configs(topic, context)?;
    let partitions = if topic.assignments.is_empty() {
        placed_partitions(image, request, topic, random)?
    } else {
        assigned_partitions(image, topic)?
    };

    let topic_id = unused_topic_id(image, random);
    let replication_factor = partitions.first().map_or(0, |partition| partition.replicas.len());
    let created = CreatedTopic {
        topic_id,
        num_partitions: i32::try_from(partitions.len()).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(replication_factor).unwrap_or(i16::MAX),
        configs,
    };
    out.push(MetadataRecord::Topic { name: topic.name.clone(), topic_id });
    for (name, value) in &created.configs {
        let resource = ConfigResource::topic(topic.name.clone());
        let value = Some(value.clone());
        out.push(MetadataRecord::Config { resource, name: name.clone(), value });
    }
    for (partition_id, registration) in (0..).zip(partitions) {
        out.push(MetadataRecord::Partition { topic_id, partition_id, registration });
    }
    Ok(created)
}

fn check_name(image: &MetadataImage, name: &Arc<str>) -> Result<(), ApiError> {
    if image.topics.by_name(name).is_some() {
        return Err(ApiError::new(
            ErrorCode::TopicAlreadyExists,
            format!("Topic '{name}' already exists."),
        ));
    }
    let invalid = |message| Err(ApiError::new(ErrorCode::InvalidTopicException, message));
    if let Some(colliding) = image.topics.colliding(name) {
        return invalid(format!("Topic '{name}' collides with existing topic: {colliding}"));
    }
    topic_name::invalid_reason(name).map_or(Ok(()), invalid)
}

fn checked_configs(topic: &NewTopic, context: &Context<'_>) -> Result<ConfigMap, ApiError> {
    let without_value: Vec<&str> = topic
        .configs
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| &**name)
        .collect();
    if !without_value.is_empty() {
        return Err(ApiError::new(
            ErrorCode::InvalidConfig,
            format!("Null value not supported for topic configs: {}", without_value.join(",")),
        ));
    }
    let configs: ConfigMap = topic
        .configs
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
        .collect();
    if !configs.is_empty() {
        let resource = ConfigResource::topic(topic.name.clone());
        context.rules.validate(&resource, &configs, &ConfigMap::new())?;
    }
    Ok(configs)
}

fn placed_partitions(
    image: &MetadataImage,
    request: &CreateTopics,
    topic: &NewTopic,
    random: &mut SeededRandom,
) -> Result<Vec<PartitionRegistration>, ApiError> {
    if topic.replication_factor < -1 || topic.replication_factor == 0 {
        return Err(ApiError::new(
            ErrorCode::InvalidReplicationFactor,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        ));
    }
    if topic.num_partitions < -1 || topic.num_partitions == 0 {
        return Err(ApiError::new(
            ErrorCode::InvalidPartitions,
            "Number of partitions was set to an invalid non-positive value.",
        ));
    }
    let num_partitions = if topic.num_partitions == -1 {
        request.default_num_partitions
    } else {
        topic.num_partitions
    };
    let replication_factor = if topic.replication_factor == -1 {
        request.default_replication_factor
    } else {
        topic.replication_factor
    };
    let unable = |reason: String| {
        ApiError::new(
            ErrorCode::InvalidReplicationFactor,
            format!("Unable to replicate the partition {replication_factor} time(s): {reason}"),
        )
    };
    let count = usize::try_from(num_partitions).unwrap_or(0);
    let placed = placement::place(&image.brokers, count, replication_factor, random)
        .map_err(|error| unable(error.to_string()))?;
    placed
        .into_iter()
        .map(|replicas| {
            new_partition(image, replicas).ok_or_else(|| {
                let reason = "All brokers are currently fenced or in controlled shutdown.";
                unable(reason.to_owned())
            })
        })
        .collect()
}

fn assigned_partitions(
    image: &MetadataImage,
    topic: &NewTopic,
) -> Result<Vec<PartitionRegistration>, ApiError> {
    let unset = |what: &str| {
        let message =
            format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Err(invalid_request(&message))
    };
    if topic.replication_factor != -1 {
        return unset("replication factor");
    }
    if topic.num_partitions != -1 {
        return unset("numPartitions");
    }
    let mut partitions = BTreeMap::new();
    let mut replication_factor = None;
    for (partition_id, brokers) in &topic.assignments {
        if partitions.contains_key(partition_id) {
            return Err(invalid_assignment(format!(
                "Found multiple manual partition assignments for partition {partition_id}"
            )));
        }
        let partition = assigned_partition(image, *partition_id, brokers, replication_factor)?;
        replication_factor = Some(brokers.len());
        partitions.insert(*partition_id, partition);
    }
    if !partitions.keys().copied().eq((0..).take(partitions.len())) {
        return Err(invalid_assignment(
            "partitions should be a consecutive 0-based integer sequence".to_owned(),
        ));
    }
    Ok(partitions.into_values().collect())
}

/// A new partition on brokers that the request names.
pub(super) fn assigned_partition(
    image: &MetadataImage,
    partition_id: i32,
    brokers: &[i32],
    replication_factor: Option<usize>,
) -> Result<PartitionRegistration, ApiError> {
    check_assignment(image, brokers, replication_factor)?;
    new_partition(image, brokers.to_vec()).ok_or_else(|| {
        invalid_assignment(format!(
            "All brokers specified in the manual partition assignment for partition \
             {partition_id} are fenced or in controlled shutdown."
        ))
    })
}

fn check_assignment(
    image: &MetadataImage,
    brokers: &[i32],
    replication_factor: Option<usize>,
) -> Result<(), ApiError> {
    if brokers.is_empty() {
        return Err(invalid_assignment(
            "The manual partition assignment includes an empty replica list.".to_owned(),
        ));
    }
    let mut sorted = brokers.to_vec();
    sorted.sort_unstable();
    let mut previous = None;
    for broker in &sorted {
        if image.brokers.get(*broker).is_none() {
            return Err(invalid_assignment(format!(
                "The manual partition assignment includes broker {broker}, but no such broker is \
                 registered."
            )));
        }
        if previous == Some(broker) {
            return Err(invalid_assignment(format!(
                "The manual partition assignment includes the broker {broker} more than once."
            )));
        }
        previous = Some(broker);
    }
    match replication_factor {
        Some(expected) if expected != brokers.len() => Err(invalid_assignment(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is \
             not consistent with previous partitions, which have {expected} replica(s).",
            brokers.len()
        ))),
        Some(_) | None => Ok(()),
    }
}

/// A partition whose active replicas are in sync and whose first of them leads; `None` when no
/// replica is active.
pub(super) fn new_partition(
    image: &MetadataImage,
    replicas: Vec<i32>,
) -> Option<PartitionRegistration> {
    let isr: Vec<i32> =
        replicas.iter().copied().filter(|id| image.brokers.is_active(*id)).collect();
    Some(PartitionRegistration {
        leader: *isr.first()?,
        directories: replicas.iter().map(|id| default_dir(image, *id)).collect(),
        replicas,
        isr,
        leader_recovery_state: LEADER_RECOVERED,
        ..PartitionRegistration::default()
    })
}

/// Where a broker puts a new replica if that is known beforehand: with one directory it is. The
/// zero id means that the broker chooses and says so later.
fn default_dir(image: &MetadataImage, broker_id: i32) -> Uuid {
    match image.brokers.get(broker_id).map(|broker| &*broker.log_dirs) {
        Some([only]) => *only,
        Some(_) | None => UNASSIGNED_DIRECTORY,
    }
}

fn unused_topic_id(image: &MetadataImage, random: &mut SeededRandom) -> Uuid {
    loop {
        let id = random.topic_id();
        if image.topics.by_id(&id).is_none() {
            return id;
        }
    }
}

fn failed(name: &Arc<str>, error: ApiError) -> CreateTopicResult {
    CreateTopicResult { name: name.clone(), result: Err(error) }
}

fn invalid_request(message: &str) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}

fn invalid_assignment(message: String) -> ApiError {
    ApiError::new(ErrorCode::InvalidReplicaAssignment, message)
}
