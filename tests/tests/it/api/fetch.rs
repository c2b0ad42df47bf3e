//! Fetch: every version, sizes, offsets out of range, epochs, and incremental sessions.

use crate::against::{Session, wire};
use protocol_codec::Uuid;
use protocol_codec::messages::fetch::{
    FetchPartition, FetchTopic, ForgottenTopic, Request, Response,
};

fn partition(index: i32, offset: i64) -> FetchPartition {
    FetchPartition {
        partition: index,
        fetch_offset: offset,
        partition_max_bytes: 1024 * 1024,
        ..Default::default()
    }
}

fn request(version: i16, name: &str, id: Uuid, partitions: Vec<FetchPartition>) -> Request {
    let (topic, topic_id) = if version >= 13 { ("", id) } else { (name, Uuid::ZERO) };
    let topics = vec![FetchTopic { topic: topic.into(), topic_id, partitions }];
    Request { topics, min_bytes: 0, ..Default::default() }
}

/// Batches carry the time of their append and checksums over it: only sizes and offsets compare.
fn comparable(mut answer: Response) -> (Response, Vec<usize>) {
    let mut sizes = Vec::new();
    for partition in answer.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
        sizes.push(partition.records.as_ref().map_or(0, protocol_codec::wire::Records::len));
        partition.records = None;
    }
    if answer.session_id != 0 {
        answer.session_id = 1;
    }
    (answer, sizes)
}

fn fetch(session: &mut Session, what: &str, version: i16, request: &Request) -> Response {
    let answer = session.client.call(version, request);
    session.note(&format!("Fetch version {version} {what}"), &comparable(answer.clone()));
    answer
}

#[test]
fn every_version_reads() {
    wire(|session| {
        let id = session.topic("fetch-versions", 2);
        session.produce("fetch-versions", 0, &["a", "b"]);
        session.produce("fetch-versions", 0, &["c"]);
        for version in 4..=18 {
            for offset in [0, 1, 2, 3, 4] {
                let request = request(
                    version,
                    "fetch-versions",
                    id,
                    vec![partition(0, offset), partition(1, 0)],
                );
                let _ = fetch(session, &format!("at {offset}"), version, &request);
            }
        }
    });
}

#[test]
fn sizes_are_limits_but_for_the_first_batch() {
    wire(|session| {
        let id = session.topic("fetch-sizes", 2);
        for _ in 0..3 {
            session.produce("fetch-sizes", 0, &[&"x".repeat(1000)]);
            session.produce("fetch-sizes", 1, &[&"y".repeat(1000)]);
        }
        for (max_bytes, partition_max_bytes) in
            [(1, 1), (1, 5000), (5000, 1), (2500, 2500), (1_000_000, 2500), (0, 0)]
        {
            let limited = |index| FetchPartition { partition_max_bytes, ..partition(index, 0) };
            let mut request = request(12, "fetch-sizes", id, vec![limited(0), limited(1)]);
            request.max_bytes = max_bytes;
            let _ =
                fetch(session, &format!("of {max_bytes} and {partition_max_bytes}"), 12, &request);
        }
    });
}

#[test]
fn wrong_places_and_epochs_get_kafkas_errors() {
    wire(|session| {
        let id = session.topic("fetch-wrong", 1);
        session.produce("fetch-wrong", 0, &["a"]);
        for version in [4, 12, 13, 18] {
            let _ = fetch(
                session,
                "partition 9",
                version,
                &request(version, "fetch-wrong", id, vec![partition(9, 0)]),
            );
            let _ = fetch(
                session,
                "offset -1",
                version,
                &request(version, "fetch-wrong", id, vec![partition(0, -1)]),
            );
            let unknown = Uuid::from_bytes([5; 16]);
            let _ = fetch(
                session,
                "unknown topic",
                version,
                &request(version, "fetch-missing", unknown, vec![partition(0, 0)]),
            );
        }
        for epoch in [0, 1, 99] {
            let place = FetchPartition { current_leader_epoch: epoch, ..partition(0, 0) };
            let _ = fetch(
                session,
                &format!("epoch {epoch}"),
                12,
                &request(12, "fetch-wrong", id, vec![place]),
            );
        }
    });
}

/// KIP-227: after the first full answer only what changed travels.
#[test]
fn sessions_send_only_what_changed() {
    wire(|session| {
        let id = session.topic("fetch-sessions", 3);
        let all = vec![partition(0, 0), partition(1, 0), partition(2, 0)];
        for version in [7, 12, 17] {
            let mut full = request(version, "fetch-sessions", id, all.clone());
            full.session_epoch = 0;
            let opened = fetch(session, "opens a session", version, &full);
            let next = |epoch: i32| Request {
                session_id: opened.session_id,
                session_epoch: epoch,
                topics: Vec::new(),
                min_bytes: 0,
                ..Default::default()
            };
            let _ = fetch(session, "changed nothing", version, &next(1));
            session.produce("fetch-sessions", 1, &["a"]);
            let _ = fetch(session, "one partition grew", version, &next(2));
            let forgotten = if version >= 13 {
                ForgottenTopic { topic_id: id, partitions: vec![1], ..Default::default() }
            } else {
                ForgottenTopic {
                    topic: "fetch-sessions".into(),
                    partitions: vec![1],
                    ..Default::default()
                }
            };
            let forgetting = Request { forgotten_topics_data: vec![forgotten], ..next(3) };
            let _ = fetch(session, "forgets a partition", version, &forgetting);
            let _ = fetch(session, "with a wrong epoch", version, &next(9));
            let close = Request { session_epoch: -1, ..next(0) };
            let _ = fetch(session, "closes the session", version, &close);
            let _ = fetch(session, "after the close", version, &next(4));
        }
    });
}

/// A fetch that waits is answered by the produce that it waited for.
#[test]
fn a_waiting_fetch_is_woken() {
    wire(|session| {
        let id = session.topic("fetch-waits", 1);
        let mut waiting = request(12, "fetch-waits", id, vec![partition(0, 0)]);
        (waiting.min_bytes, waiting.max_wait_ms) = (1, 60_000);
        let mut waiter = session.connect();
        waiter.send(12, &waiting);
        session.produce("fetch-waits", 0, &["a"]);
        let answer = waiter.receive::<Request>(12).expect("an answer");
        session.note("Fetch version 12 woken", &comparable(answer));
    });
}
