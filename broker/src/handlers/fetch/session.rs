//! Which partitions a fetch means: those of its request, or those of its session.

use protocol_codec::messages::fetch::{FetchPartition, ForgottenTopic, Request};
use protocol_codec::{ErrorCode, StrBytes, Uuid};

use crate::broker::Broker;
use crate::replication::fetch_session::{
    FINAL_EPOCH, FetchSession, INITIAL_EPOCH, Key, Wanted, next_epoch,
};

/// From this version on, topics are named by id.
const TOPIC_IDS_FROM: i16 = 13;

/// Before this version there are no sessions.
const SESSIONS_FROM: i16 = 7;

/// What kind of fetch a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// All partitions are named, and forgotten afterwards.
    Sessionless,
    /// All partitions are named, and the client wants a session for them.
    Full,
    /// Partitions are those of the session.
    Incremental,
}

/// The session of a fetch under way. One that was taken out of the cache goes back in any case:
/// when it is closed, or when the request is dropped.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    broker: &'a Broker,
    pub(super) kind: Kind,
    session: FetchSession,
}

/// Finds out what to fetch.
pub(super) fn open(
    broker: &Broker,
    version: i16,
    request: Request,
) -> Result<Opened<'_>, ErrorCode> {
    let by_id = version >= TOPIC_IDS_FROM;
    let sessions = broker.fetch_sessions();
    let is_full = version < SESSIONS_FROM
        || request.session_epoch == INITIAL_EPOCH
        || request.session_epoch == FINAL_EPOCH;
    if is_full {
        if request.session_id != 0 {
            sessions.remove(request.session_id);
        }
        let wants_none = version < SESSIONS_FROM || request.session_epoch == FINAL_EPOCH;
        let mut session = FetchSession::new(by_id);
        name_partitions(request, |key, wanted| session.push(key, wanted));
        let kind = if wants_none { Kind::Sessionless } else { Kind::Full };
        return Ok(Opened { broker, kind, session });
    }
    let mut session = sessions.take(request.session_id, request.session_epoch, by_id)?;
    for ForgottenTopic { topic, topic_id, partitions } in &request.forgotten_topics_data {
        for partition in partitions {
            session.remove(&key(topic.clone(), *topic_id, *partition));
        }
    }
    name_partitions(request, |key, wanted| session.set(owned(key), wanted));
    session.epoch = next_epoch(session.epoch);
    if session.is_empty() {
        // As in Kafka: a session without partitions ends.
        sessions.remove(session.id);
        session.id = 0;
        return Ok(Opened { broker, kind: Kind::Sessionless, session });
    }
    Ok(Opened { broker, kind: Kind::Incremental, session })
}

/// Looks up the partitions, if they may be others than at the last time.
pub(super) fn resolve(broker: &Broker, session: &mut FetchSession) {
    let replicas = broker.replicas();
    let generation = replicas.generation();
    if session.generation == Some(generation) {
        return;
    }
    let topics = replicas.topics();
    let by_id = session.uses_topic_ids;
    let unknown =
        if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
    for entry in session.entries_mut() {
        let Key { topic, topic_id, partition } = &entry.key;
        let topic = if by_id { topics.by_id(topic_id) } else { topics.by_name(topic) };
        entry.partition = match topic {
            None => Err(unknown),
            Some(topic) => {
                topic.partition(*partition).cloned().ok_or(ErrorCode::UnknownTopicOrPartition)
            }
        };
    }
    session.generation = Some(generation);
}

impl Opened<'_> {
    pub(super) fn session(&mut self) -> &mut FetchSession {
        &mut self.session
    }

    /// Ends the request. Returns the session's id for the response, 0 for none.
    pub(super) fn close(mut self) -> i32 {
        match self.kind {
            Kind::Sessionless => 0,
            Kind::Incremental => self.session.id,
            Kind::Full => {
                let session = std::mem::take(&mut self.session);
                self.broker.fetch_sessions().create(session, self.broker.clock().monotonic_ms())
            }
        }
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        if self.kind == Kind::Incremental {
            let session = std::mem::take(&mut self.session);
            self.broker.fetch_sessions().put_back(session, self.broker.clock().monotonic_ms());
        }
    }
}

fn name_partitions(request: Request, mut each: impl FnMut(Key, Wanted)) {
    for topic in request.topics {
        for partition in topic.partitions {
            let key = key(topic.topic.clone(), topic.topic_id, partition.partition);
            each(key, wanted(&partition));
        }
    }
}

fn key(topic: StrBytes, topic_id: Uuid, partition: i32) -> Key {
    Key { topic, topic_id, partition }
}

/// A key that outlives the request's frame.
fn owned(key: Key) -> Key {
    Key { topic: StrBytes::from(&*key.topic), ..key }
}

fn wanted(partition: &FetchPartition) -> Wanted {
    Wanted {
        fetch_offset: partition.fetch_offset,
        max_bytes: partition.partition_max_bytes,
        current_leader_epoch: partition.current_leader_epoch,
        last_fetched_epoch: partition.last_fetched_epoch,
        log_start_offset: partition.log_start_offset,
    }
}
