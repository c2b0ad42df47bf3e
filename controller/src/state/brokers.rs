//! The life of a broker in the metadata: registered, fenced, unfenced, gone.

use protocol_codec::ErrorCode;
use protocol_codec::Uuid;

use super::{checked_broker, leadership};
use crate::command::{ApiError, RegisterBroker, ReplicaDirectory};
use crate::image::MetadataImage;
use crate::image::brokers::BrokerRegistration;
use crate::image::topics::{LOST_DIRECTORY, UNASSIGNED_DIRECTORY};
use crate::record::{BrokerRegistrationChange, MetadataRecord, PartitionChange};

/// A broker starts fenced; its partitions keep their leaders until it is fenced for cause.
pub(super) fn register(
    image: &MetadataImage,
    request: &RegisterBroker,
    out: &mut Vec<MetadataRecord>,
) -> Result<i64, ApiError> {
    if let Some(given) = &request.cluster_id
        && let Some(own) = &image.cluster_id
        && given != own
    {
        return Err(ApiError::new(
            ErrorCode::InconsistentClusterId,
            format!("Expected cluster ID {own}, but got cluster ID {given}"),
        ));
    }
    if request.broker_id < 0 {
        let message = format!("Invalid broker id {}", request.broker_id);
        return Err(ApiError::new(ErrorCode::InvalidRegistration, message));
    }
    let mut dirs = request.log_dirs.clone();
    dirs.sort_unstable();
    if dirs.windows(2).any(|pair| pair[0] == pair[1]) || dirs.contains(&Uuid::ZERO) {
        return Err(ApiError::new(
            ErrorCode::InvalidRegistration,
            "The log directories of a broker need ids that differ from each other.",
        ));
    }
    // As in Kafka, the epoch is the place of the registration in the log, so it always rises.
    let epoch = i64::try_from(image.last_applied.index + 1).unwrap_or(i64::MAX);
    out.push(MetadataRecord::RegisterBroker(BrokerRegistration {
        id: request.broker_id,
        epoch,
        incarnation_id: request.incarnation_id,
        endpoints: request.endpoints.clone(),
        features: request.features.clone(),
        rack: request.rack.clone(),
        fenced: true,
        in_controlled_shutdown: false,
        log_dirs: request.log_dirs.clone(),
    }));
    Ok(epoch)
}

pub(super) fn unregister(
    image: &MetadataImage,
    broker_id: i32,
    out: &mut Vec<MetadataRecord>,
) -> Result<(), ApiError> {
    let Some(broker) = image.brokers.get(broker_id) else {
        return Err(ApiError::new(
            ErrorCode::BrokerIdNotRegistered,
            format!("Broker ID {broker_id} is not currently registered"),
        ));
    };
    leadership::remove_broker(image, broker_id, out);
    out.push(MetadataRecord::UnregisterBroker { broker_id, broker_epoch: broker.epoch });
    Ok(())
}

pub(super) fn fence(
    image: &MetadataImage,
    broker_id: i32,
    broker_epoch: i64,
    out: &mut Vec<MetadataRecord>,
) -> Result<(), ApiError> {
    if checked_broker(image, broker_id, broker_epoch)?.fenced {
        return Ok(());
    }
    leadership::remove_broker(image, broker_id, out);
    out.push(fenced_record(broker_id, broker_epoch, true));
    Ok(())
}

pub(super) fn unfence(
    image: &MetadataImage,
    broker_id: i32,
    broker_epoch: i64,
    out: &mut Vec<MetadataRecord>,
) -> Result<(), ApiError> {
    if !checked_broker(image, broker_id, broker_epoch)?.fenced {
        return Ok(());
    }
    out.push(fenced_record(broker_id, broker_epoch, false));
    leadership::add_broker(image, broker_id, out);
    Ok(())
}

/// Replicas of topics that are gone by now are passed over: the broker will hear of it. A replica
/// that its broker cannot find is in [`LOST_DIRECTORY`].
pub(super) fn assign_replicas_to_dirs(
    image: &MetadataImage,
    broker_id: i32,
    broker_epoch: i64,
    replicas: &[ReplicaDirectory],
    out: &mut Vec<MetadataRecord>,
) -> Result<(), ApiError> {
    let broker = checked_broker(image, broker_id, broker_epoch)?;
    for ReplicaDirectory { topic_id, partition_id, directory } in replicas {
        if *directory != LOST_DIRECTORY && !broker.log_dirs.contains(directory) {
            return Err(ApiError::new(
                ErrorCode::InvalidRequest,
                format!("Broker {broker_id} has no online log directory with id {directory}"),
            ));
        }
        let Some(partition) =
            image.topics.by_id(topic_id).and_then(|topic| topic.partition(*partition_id))
        else {
            continue;
        };
        if partition.directory(broker_id).is_none_or(|current| current == *directory) {
            continue;
        }
        let directories = partition
            .replicas
            .iter()
            .map(|id| {
                let current = partition.directory(*id).unwrap_or(UNASSIGNED_DIRECTORY);
                if *id == broker_id { *directory } else { current }
            })
            .collect();
        out.push(MetadataRecord::PartitionChange(PartitionChange {
            topic_id: *topic_id,
            partition_id: *partition_id,
            directories: Some(directories),
            ..PartitionChange::default()
        }));
    }
    Ok(())
}

fn fenced_record(broker_id: i32, broker_epoch: i64, fenced: bool) -> MetadataRecord {
    MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
        broker_id,
        broker_epoch,
        fenced: Some(fenced),
        ..BrokerRegistrationChange::default()
    })
}
