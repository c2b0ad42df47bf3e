//! DeleteTopics: by name or by id, each topic once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol_codec::ErrorCode;
use protocol_codec::Uuid;

use crate::command::{ApiError, DeleteTopicResult, TopicRef};
use crate::image::MetadataImage;
use crate::record::MetadataRecord;

/// The message Kafka's own error carries when a lookup, not the deletion, finds no such topic.
const UNKNOWN_NAME: &str = "This server does not host this topic-partition.";
const UNKNOWN_ID: &str = "This server does not host this topic ID.";

/// Answers come in the order of the request; a name or id given twice is answered once.
pub(super) fn decide(
    image: &MetadataImage,
    topics: &[TopicRef],
    out: &mut Vec<MetadataRecord>,
) -> Vec<DeleteTopicResult> {
    let mut times_given: BTreeMap<(Option<&str>, Uuid), usize> = BTreeMap::new();
    let mut ids_given: BTreeSet<Uuid> = BTreeSet::new();
    let mut names_given: BTreeSet<&str> = BTreeSet::new();
    for topic in topics {
        *times_given.entry(key(topic)).or_default() += 1;
        match &topic.name {
            Some(name) if topic.id == Uuid::ZERO => {
                names_given.insert(name);
            }
            Some(_) => {}
            None => {
                ids_given.insert(topic.id);
            }
        }
    }
    let mut results = Vec::with_capacity(topics.len());
    for topic in topics {
        // Both copies of a duplicate are refused, with one answer.
        let Some(times) = times_given.remove(&key(topic)) else { continue };
        let (name, topic_id, result) = match resolve(image, topic, times > 1) {
            Ok((name, id)) if topic.name.is_some() && ids_given.contains(&id) => {
                let error =
                    invalid("The provided topic name maps to an ID that was already supplied.");
                (Some(name), id, Err(error))
            }
            // Its name is in the request as well and carries the one answer for both.
            Ok((name, _)) if topic.name.is_none() && names_given.contains(&*name) => continue,
            Ok((name, id)) => {
                out.push(MetadataRecord::RemoveTopic { topic_id: id });
                (Some(name), id, Ok(()))
            }
            Err(error) => (topic.name.clone(), topic.id, Err(error)),
        };
        results.push(DeleteTopicResult { name, topic_id, result });
    }
    results
}

fn key(topic: &TopicRef) -> (Option<&str>, Uuid) {
    (topic.name.as_deref(), topic.id)
}

fn resolve(
    image: &MetadataImage,
    topic: &TopicRef,
    duplicate: bool,
) -> Result<(Arc<str>, Uuid), ApiError> {
    match &topic.name {
        Some(_) if topic.id != Uuid::ZERO => {
            Err(invalid("You may not specify both topic name and topic id."))
        }
        Some(_) if duplicate => Err(invalid("Duplicate topic name.")),
        Some(name) => match image.topics.by_name(name) {
            Some(found) => Ok((found.name.clone(), found.id)),
            None => Err(ApiError::new(ErrorCode::UnknownTopicOrPartition, UNKNOWN_NAME)),
        },
        None if topic.id == Uuid::ZERO => Err(invalid("Neither topic name nor id were specified.")),
        None if duplicate => Err(invalid("Duplicate topic id.")),
        None => match image.topics.by_id(&topic.id) {
            Some(found) => Ok((found.name.clone(), found.id)),
            None => Err(ApiError::new(ErrorCode::UnknownTopicId, UNKNOWN_ID)),
        },
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}
