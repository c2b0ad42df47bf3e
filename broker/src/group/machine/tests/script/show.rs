//! Outcomes as the scripts write them: one line for each record, then one for each reply.

use bytes::Bytes;
use protocol_codec::ErrorCode;

use crate::group::event::{Answer, Outcome};
use crate::group::record::Record;

pub(super) fn outcome(outcome: &Outcome) -> String {
    let mut shown = String::new();
    for record in &outcome.records {
        shown += &format!("  write {}\n", show_record(record));
    }
    for (token, answer) in &outcome.replies {
        shown += &format!("  #{} {}\n", token.0, show_answer(answer));
    }
    shown
}

fn show_record(record: &Record) -> String {
    match record {
        Record::Group { key, value: None } => format!("tombstone of group {}", key.group),
        Record::Group { key, value: Some(value) } => {
            let members = value.members.iter().map(|member| {
                let instance = member.group_instance_id.as_deref();
                let instance = instance.map(|id| format!("@{id}")).unwrap_or_default();
                format!("{}{instance}={}", member.member_id, text(&member.assignment))
            });
            format!(
                "group {}: type={} gen={} protocol={} leader={} members=[{}]",
                key.group,
                value.protocol_type,
                value.generation,
                value.protocol.as_deref().unwrap_or("null"),
                value.leader.as_deref().unwrap_or("null"),
                join(members),
            )
        }
        Record::Offset { key, value: None } => {
            format!("tombstone of offset {} {}-{}", key.group, key.topic, key.partition)
        }
        Record::Offset { key, value: Some(value) } => format!(
            "offset {} {}-{}: {} epoch={} metadata={:?} at={} expires={} id={}",
            key.group,
            key.topic,
            key.partition,
            value.offset,
            value.leader_epoch,
            &*value.metadata,
            value.commit_timestamp,
            value.expire_timestamp,
            value.topic_id.as_bytes()[0],
        ),
    }
}

fn show_answer(answer: &Answer) -> String {
    match answer {
        Answer::Join(response) if response.error_code != 0 => {
            format!("join {} member={}", error(response.error_code), response.member_id)
        }
        Answer::Join(response) => {
            let members = response.members.iter().map(|member| member.member_id.to_string());
            let skip = if response.skip_assignment { " skip-assignment" } else { "" };
            format!(
                "join ok gen={} protocol={} leader={} member={} members=[{}]{skip}",
                response.generation_id,
                response.protocol_name.as_deref().unwrap_or("null"),
                response.leader,
                response.member_id,
                join(members),
            )
        }
        Answer::Sync(response) => {
            format!("sync {} assignment={}", error(response.error_code), text(&response.assignment))
        }
        Answer::Heartbeat(response) => format!("heartbeat {}", error(response.error_code)),
        Answer::Leave(response) => {
            let members = response.members.iter().map(|member| {
                let instance = member.group_instance_id.as_deref();
                let instance = instance.map(|id| format!("@{id}")).unwrap_or_default();
                format!("{}{instance} {}", member.member_id, error(member.error_code))
            });
            format!("leave {}: {}", error(response.error_code), join(members))
        }
        Answer::OffsetCommit(response) => {
            let topics = response.topics.iter().flat_map(|topic| {
                let name = &topic.name;
                let partitions = topic.partitions.iter();
                partitions
                    .map(move |p| format!("{name}-{} {}", p.partition_index, error(p.error_code)))
            });
            format!("commit {}", join(topics))
        }
        Answer::OffsetFetch(response) => {
            let topics = response.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(move |p| {
                    format!(
                        "{}-{}: {} epoch={} metadata={:?}",
                        topic.name,
                        p.partition_index,
                        p.committed_offset,
                        p.committed_leader_epoch,
                        p.metadata.as_deref().unwrap_or("null"),
                    )
                })
            });
            format!("fetch {}: {}", error(response.error_code), join(topics))
        }
        Answer::OffsetDelete(response) => {
            let topics = response.topics.iter().flat_map(|topic| {
                let name = &topic.name;
                let partitions = topic.partitions.iter();
                partitions
                    .map(move |p| format!("{name}-{} {}", p.partition_index, error(p.error_code)))
            });
            format!("delete-offsets {}: {}", error(response.error_code), join(topics))
        }
        Answer::DescribeGroups(_) | Answer::ListGroups(_) | Answer::DeleteGroups(_) => {
            show_view(answer)
        }
    }
}

fn show_view(answer: &Answer) -> String {
    match answer {
        Answer::DescribeGroups(groups) => join(groups.iter().map(|group| {
            let members = group.members.iter().map(|member| {
                let metadata = member.member_metadata.len();
                let (id, assignment) = (&member.member_id, text(&member.member_assignment));
                format!("{id}({metadata} bytes)={assignment}")
            });
            let message = group.error_message.as_deref().map(|text| format!(" {text:?}"));
            format!(
                "describe {}: {} {} type={:?} protocol={:?} members=[{}]{}",
                group.group_id,
                error(group.error_code),
                group.group_state,
                &*group.protocol_type,
                &*group.protocol_data,
                join(members),
                message.unwrap_or_default(),
            )
        })),
        Answer::ListGroups(groups) => {
            let mut shown: Vec<String> = groups
                .iter()
                .map(|g| {
                    format!(
                        "{} {} {} {:?}",
                        g.group_id, g.group_state, g.group_type, &*g.protocol_type
                    )
                })
                .collect();
            shown.sort();
            format!("list {}", join(shown.into_iter()))
        }
        Answer::DeleteGroups(results) => {
            let results = results
                .iter()
                .map(|result| format!("{} {}", result.group_id, error(result.error_code)));
            format!("delete-groups {}", join(results))
        }
        other => panic!("not a view: {other:?}"),
    }
}

fn error(code: i16) -> &'static str {
    match ErrorCode::from_code(code).unwrap() {
        ErrorCode::None => "ok",
        error => error.name(),
    }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn join(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
