//! FindCoordinator: which broker coordinates a group.
//!
//! It is the leader of the group's partition of `__consumer_offsets`. The first to ask has the
//! topic created, and is told COORDINATOR_NOT_AVAILABLE until it is there: clients ask again.
//! Coordinators that are not there (of transactions, of share groups) are an invalid request and
//! never "not available": Java clients would ask for ever.

use protocol_codec::messages::find_coordinator::{Coordinator, Request, Response};
use protocol_codec::{ErrorCode, StrBytes};

use crate::broker::{Broker, NodeAddress, endpoint};
use crate::context::RequestContext;
use crate::group::{OFFSETS_TOPIC, partition_for};

/// First version that asks for several keys at once.
const VERSION_KEYS: i16 = 4;

const KEY_TYPE_GROUP: i8 = 0;
const KEY_TYPE_SHARE: i8 = 2;

/// Kafka knows these types, and explains no error about them since version 4.
const KEY_TYPES_WITHOUT_WORDS: [i8; 2] = [KEY_TYPE_GROUP, KEY_TYPE_SHARE];

/// A broker, as a client reaches it.
type Node = (i32, NodeAddress);

pub async fn handle(broker: &Broker, context: &RequestContext, request: Request) -> Response {
    let find = |key: &StrBytes| find(broker, context, request.key_type, key);
    if context.api_version >= VERSION_KEYS {
        let coordinators = request.coordinator_keys.iter();
        let mut coordinators: Vec<_> =
            coordinators.map(|key| coordinator(key, find(key))).collect();
        if !KEY_TYPES_WITHOUT_WORDS.contains(&request.key_type) {
            let words = Some(StrBytes::from_static(message(ErrorCode::InvalidRequest)));
            coordinators.iter_mut().for_each(|found| found.error_message.clone_from(&words));
        }
        return Response { coordinators, ..Default::default() };
    }
    let found = coordinator(&request.key, find(&request.key));
    let error = ErrorCode::from_code(found.error_code).unwrap_or(ErrorCode::UnknownServerError);
    Response {
        error_code: found.error_code,
        error_message: Some(StrBytes::from_static(message(error))),
        node_id: found.node_id,
        host: found.host,
        port: found.port,
        ..Default::default()
    }
}

fn coordinator(key: &StrBytes, found: Result<Node, ErrorCode>) -> Coordinator {
    let key = key.clone();
    match found {
        Ok((node_id, address)) => Coordinator {
            key,
            node_id,
            host: address.host,
            port: address.port,
            ..Default::default()
        },
        Err(error) => Coordinator {
            key,
            node_id: -1,
            port: -1,
            error_code: error.into(),
            ..Default::default()
        },
    }
}

fn find(
    broker: &Broker,
    context: &RequestContext,
    key_type: i8,
    group_id: &str,
) -> Result<Node, ErrorCode> {
    if key_type != KEY_TYPE_GROUP {
        return Err(ErrorCode::InvalidRequest);
    }
    let image = broker.image();
    let Some(topic) = image.topics.by_name(OFFSETS_TOPIC) else {
        broker.auto_topics().create([OFFSETS_TOPIC]);
        return Err(ErrorCode::CoordinatorNotAvailable);
    };
    let partition = partition_for(group_id, topic.partition_count().max(1));
    let leader = topic.partition(partition).map(|partition| partition.leader);
    let node = leader
        .and_then(|leader| Some((leader, endpoint(&image, leader, &context.connection.listener)?)));
    node.ok_or(ErrorCode::CoordinatorNotAvailable)
}

/// Kafka's words, which old versions carry even when all is well.
fn message(error: ErrorCode) -> &'static str {
    match error {
        ErrorCode::None => "NONE",
        ErrorCode::CoordinatorNotAvailable => "The coordinator is not available.",
        _ => {
            "This most likely occurs because of a request being malformed by the client library \
             or the message was sent to an incompatible broker. See the broker logs for more \
             details."
        }
    }
}
