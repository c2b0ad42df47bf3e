//! The commands of the scripts, as events. The group is `g` unless `group=` says otherwise.

use bytes::Bytes;
use protocol_codec::data::{ConsumerProtocolSubscription, encode_with_version};
use protocol_codec::messages::{
    heartbeat, join_group, leave_group, list_groups, offset_commit, offset_delete, offset_fetch,
    sync_group,
};
use protocol_codec::{StrBytes, Uuid};

use super::{Args, World};
use crate::group::event::{Client, DeletedTopic, Event, Join, OffsetFetch};

pub(super) fn event(world: &mut World, verb: &str, args: &Args) -> Event {
    let group_id = StrBytes::from(args.text("group", "g"));
    match verb {
        "join" => join(world, args, group_id),
        "sync" => sync(world, args, group_id),
        "heartbeat" => {
            let request = heartbeat::Request {
                group_id,
                generation_id: args.number("gen", 1),
                member_id: args.word(0).into(),
                group_instance_id: args.get("instance").map(StrBytes::from),
            };
            Event::Heartbeat(world.token(), request)
        }
        "leave" => {
            let members = args.words.iter().map(|word| identity(word)).collect();
            let request = leave_group::Request { group_id, members, ..Default::default() };
            Event::Leave(world.token(), request)
        }
        "commit" => commit(world, args, group_id),
        "fetch" => {
            let topics = (args.word(0) != "all").then(|| fetch_topics(args));
            Event::OffsetFetch(world.token(), OffsetFetch { group_id, topics })
        }
        "delete-offsets" => {
            let topics = args.words.iter().map(|word| {
                let (name, index) = partition(word);
                let partition =
                    offset_delete::OffsetDeleteRequestPartition { partition_index: index };
                offset_delete::OffsetDeleteRequestTopic { name, partitions: vec![partition] }
            });
            let request = offset_delete::Request { group_id, topics: topics.collect() };
            Event::OffsetDelete(world.token(), request)
        }
        "delete-topic" => {
            let topic = DeletedTopic { name: args.word(0).into(), id: topic_id(args) };
            Event::TopicsDeleted(vec![topic])
        }
        "delete-groups" => {
            let group_ids = args.words.iter().map(|word| StrBytes::from(word.as_str())).collect();
            Event::DeleteGroups(world.token(), group_ids)
        }
        "describe" => {
            let version = args.number("v", 6);
            Event::DescribeGroups(world.token(), version, vec![group_id])
        }
        "list" => {
            let texts = |key| args.list(key).into_iter().map(StrBytes::from).collect();
            let (states_filter, types_filter) = (texts("states"), texts("types"));
            Event::ListGroups(world.token(), list_groups::Request { states_filter, types_filter })
        }
        other => panic!("no such command: {other}"),
    }
}

/// `join [MEMBER] [v= instance= client= type= protocols=name:topic+topic,... session= rebalance=]`
fn join(world: &mut World, args: &Args, group_id: StrBytes) -> Event {
    let protocols = args.text("protocols", "range:t");
    let protocols = protocols.split(',').filter(|text| !text.is_empty()).map(|text| {
        let (name, metadata) = text.split_once(':').unwrap();
        let metadata = subscription(metadata);
        join_group::JoinGroupRequestProtocol { name: name.into(), metadata }
    });
    let request = join_group::Request {
        group_id,
        session_timeout_ms: args.number("session", 10_000),
        rebalance_timeout_ms: args.number("rebalance", 60_000),
        member_id: args.word(0).into(),
        group_instance_id: args.get("instance").map(StrBytes::from),
        protocol_type: args.text("type", "consumer").into(),
        protocols: protocols.collect(),
        reason: None,
    };
    let suffix = world.next_suffix.to_string();
    if request.member_id.is_empty() {
        world.next_suffix += 1;
    }
    let client = Client { id: args.text("client", "c").into(), host: "/127.0.0.1".into() };
    let version = args.number("v", 9);
    let join = Join { request, version, client, member_id_suffix: suffix.into() };
    Event::Join(world.token(), Box::new(join))
}

/// `sync MEMBER [gen= instance= type= protocol= assign=member:bytes,...]`
fn sync(world: &mut World, args: &Args, group_id: StrBytes) -> Event {
    let assignments = args.list("assign").into_iter().map(|text| {
        let (member_id, bytes) = text.split_once(':').unwrap();
        sync_group::SyncGroupRequestAssignment {
            member_id: member_id.into(),
            assignment: Bytes::copy_from_slice(bytes.as_bytes()),
        }
    });
    let request = sync_group::Request {
        group_id,
        generation_id: args.number("gen", 1),
        member_id: args.word(0).into(),
        group_instance_id: args.get("instance").map(StrBytes::from),
        protocol_type: args.get("type").map(StrBytes::from),
        protocol_name: args.get("protocol").map(StrBytes::from),
        assignments: assignments.collect(),
    };
    Event::Sync(world.token(), request)
}

/// `commit TOPIC-PARTITION... [offset= gen= member= instance= v= metadata= retention= id=]`
fn commit(world: &mut World, args: &Args, group_id: StrBytes) -> Event {
    let topics = args.words.iter().map(|word| {
        let (name, index) = partition(word);
        let partition = offset_commit::OffsetCommitRequestPartition {
            partition_index: index,
            committed_offset: args.number("offset", 10),
            committed_leader_epoch: args.number("epoch", -1),
            committed_metadata: args.get("metadata").map(StrBytes::from),
        };
        let partitions = vec![partition];
        offset_commit::OffsetCommitRequestTopic { name, topic_id: topic_id(args), partitions }
    });
    let request = offset_commit::Request {
        group_id,
        generation_id_or_member_epoch: args.number("gen", -1),
        member_id: args.text("member", "").into(),
        group_instance_id: args.get("instance").map(StrBytes::from),
        retention_time_ms: args.number("retention", -1),
        topics: topics.collect(),
    };
    let version = args.number("v", 10);
    Event::OffsetCommit(world.token(), version, request)
}

fn fetch_topics(args: &Args) -> Vec<offset_fetch::OffsetFetchRequestTopics> {
    let topics = args.words.iter().map(|word| {
        let (name, index) = partition(word);
        let partition_indexes = vec![index];
        offset_fetch::OffsetFetchRequestTopics { name, topic_id: topic_id(args), partition_indexes }
    });
    topics.collect()
}

/// A member id, or `@` and an instance id, or both: `member@instance`.
fn identity(text: &str) -> leave_group::MemberIdentity {
    let (member_id, instance_id) = text.split_once('@').map_or((text, None), |(m, i)| (m, Some(i)));
    leave_group::MemberIdentity {
        member_id: member_id.into(),
        group_instance_id: instance_id.map(StrBytes::from),
        reason: None,
    }
}

fn partition(text: &str) -> (StrBytes, i32) {
    let (topic, index) = text.rsplit_once('-').unwrap();
    (topic.into(), index.parse().unwrap())
}

/// `id=N`: a topic id made of N; zero without.
fn topic_id(args: &Args) -> Uuid {
    Uuid::from_bytes([args.number("id", 0); 16])
}

/// A consumer's metadata: `t+u` subscribes to t and u. `!` is something unreadable.
fn subscription(topics: &str) -> Bytes {
    if topics == "!" {
        return Bytes::from_static(b"!");
    }
    let topics = topics.split('+').filter(|topic| !topic.is_empty()).map(StrBytes::from).collect();
    let subscription = ConsumerProtocolSubscription { topics, ..Default::default() };
    encode_with_version(&subscription, 1).unwrap()
}
