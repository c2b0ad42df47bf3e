//! The shell around the machine: durability before answers, loading, failing, timers.
//!
//! Time is tokio's paused clock: it jumps when everything waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use protocol_codec::messages::{
    describe_groups, heartbeat, join_group, leave_group, list_groups, offset_commit, offset_fetch,
    sync_group,
};
use protocol_codec::{ErrorCode, StrBytes};
use tokio::time::Instant;

use super::*;
use crate::group::event::{Client, OffsetFetch};
use crate::group::log::AppendError;
use crate::group::log::memory::MemoryOffsetsLog;

const GROUP: &str = "g";

struct Rig {
    coordinator: GroupCoordinator,
    next_suffix: AtomicU64,
}

impl Rig {
    /// A coordinator that leads the partition of [`GROUP`] and has loaded it.
    async fn start(log: &Arc<MemoryOffsetsLog>) -> Self {
        let started = Instant::now();
        let clock: GroupClock = Arc::new(move || {
            let ms = i64::try_from(started.elapsed().as_millis()).unwrap();
            Now { ms, wall_ms: 1_700_000_000_000 + ms }
        });
        let shared_log: Arc<dyn OffsetsLog> = Arc::clone(log) as _;
        let coordinator = GroupCoordinator::new(GroupConfig::default(), shared_log, clock);
        tokio::spawn(coordinator.clone().run());
        let rig = Self { coordinator, next_suffix: AtomicU64::new(1) };
        rig.coordinator.elected(rig.partition(), 0);
        rig.until_loaded().await;
        rig
    }

    fn partition(&self) -> i32 {
        self.coordinator.partition_for(GROUP)
    }

    async fn until_loaded(&self) {
        while self.list().await.error_code == ErrorCode::CoordinatorLoadInProgress.code() {
            tokio::task::yield_now().await;
        }
    }

    async fn list(&self) -> list_groups::Response {
        self.coordinator.list_groups(list_groups::Request::default()).await
    }

    async fn state(&self) -> String {
        let groups = self.coordinator.describe_groups(5, vec![GROUP.into()]).await;
        let [group]: [describe_groups::DescribedGroup; 1] = groups.try_into().unwrap();
        assert_eq!(group.error_code, 0);
        group.group_state.to_string()
    }

    async fn join(&self, member_id: &str) -> join_group::Response {
        let protocol = join_group::JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: Bytes::from_static(b"meta"),
        };
        let request = join_group::Request {
            group_id: GROUP.into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 60_000,
            member_id: member_id.into(),
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            ..Default::default()
        };
        let suffix = self.next_suffix.fetch_add(1, Ordering::Relaxed);
        let client = Client { id: "c".into(), host: "/127.0.0.1".into() };
        self.coordinator.join_group(5, client, suffix.to_string().into(), request).await
    }

    async fn sync(&self, member: &join_group::Response) -> sync_group::Response {
        let assignment = sync_group::SyncGroupRequestAssignment {
            member_id: member.member_id.clone(),
            assignment: Bytes::from_static(b"all"),
        };
        let request = sync_group::Request {
            group_id: GROUP.into(),
            generation_id: member.generation_id,
            member_id: member.member_id.clone(),
            assignments: vec![assignment],
            ..Default::default()
        };
        self.coordinator.sync_group(3, request).await
    }

    /// A group of one member, stable.
    async fn stable_member(&self) -> join_group::Response {
        let refused = self.join("").await;
        assert_eq!(refused.error_code, ErrorCode::MemberIdRequired.code());
        let member = self.join(&refused.member_id).await;
        assert_eq!(member.error_code, 0);
        assert_eq!(&self.sync(&member).await.assignment[..], b"all");
        member
    }

    async fn heartbeat(&self, member: &join_group::Response) -> i16 {
        let request = heartbeat::Request {
            group_id: GROUP.into(),
            generation_id: member.generation_id,
            member_id: member.member_id.clone(),
            ..Default::default()
        };
        self.coordinator.heartbeat(request).await.error_code
    }

    async fn commit(&self, offset: i64) -> i16 {
        let partition = offset_commit::OffsetCommitRequestPartition {
            committed_offset: offset,
            ..Default::default()
        };
        let topic = offset_commit::OffsetCommitRequestTopic {
            name: "t".into(),
            partitions: vec![partition],
            ..Default::default()
        };
        let request = offset_commit::Request {
            group_id: GROUP.into(),
            topics: vec![topic],
            ..Default::default()
        };
        let response = self.coordinator.offset_commit(7, request).await;
        response.topics[0].partitions[0].error_code
    }

    async fn fetch(&self) -> i64 {
        let topic = offset_fetch::OffsetFetchRequestTopics {
            name: "t".into(),
            partition_indexes: vec![0],
            ..Default::default()
        };
        let group = OffsetFetch { group_id: GROUP.into(), topics: Some(vec![topic]) };
        let groups = self.coordinator.offset_fetch(vec![group]).await;
        assert_eq!(groups[0].error_code, 0);
        groups[0].topics[0].partitions[0].committed_offset
    }
}

fn new_log() -> Arc<MemoryOffsetsLog> {
    Arc::new(MemoryOffsetsLog::default())
}

#[tokio::test(start_paused = true)]
async fn a_member_joins_works_and_leaves() {
    let rig = Rig::start(&new_log()).await;
    let member = rig.stable_member().await;
    assert_eq!((member.generation_id, &*member.leader), (1, &*member.member_id));
    assert_eq!(rig.heartbeat(&member).await, 0);
    assert_eq!(rig.state().await, "Stable");
    let identity =
        leave_group::MemberIdentity { member_id: member.member_id, ..Default::default() };
    let request = leave_group::Request {
        group_id: GROUP.into(),
        members: vec![identity],
        ..Default::default()
    };
    let left = rig.coordinator.leave_group(5, request).await;
    assert_eq!((left.error_code, left.members[0].error_code), (0, 0));
    assert_eq!(rig.state().await, "Empty");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_lead_says_so() {
    let rig = Rig::start(&new_log()).await;
    rig.coordinator.resigned(rig.partition());
    assert_eq!(rig.join("").await.error_code, ErrorCode::NotCoordinator.code());
    assert_eq!(rig.commit(1).await, ErrorCode::NotCoordinator.code());
    let member = join_group::Response { member_id: "m".into(), ..Default::default() };
    assert_eq!(rig.heartbeat(&member).await, ErrorCode::NotCoordinator.code());
    assert_eq!(rig.list().await, list_groups::Response::default());
}

#[tokio::test(start_paused = true)]
async fn while_loading_a_member_is_taken_for_alive_and_the_rest_has_to_wait() {
    let rig = Rig::start(&new_log()).await;
    assert_eq!(rig.commit(0).await, 0);
    rig.coordinator.elected(rig.partition(), 1);
    let loading = ErrorCode::CoordinatorLoadInProgress.code();
    assert_eq!(rig.commit(1).await, loading);
    assert_eq!(rig.list().await.error_code, loading);
    let member = join_group::Response { member_id: "m".into(), ..Default::default() };
    assert_eq!(rig.heartbeat(&member).await, 0);
    rig.until_loaded().await;
    assert_eq!(rig.commit(1).await, 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_answered_before_it_is_durable() {
    let log = new_log();
    let rig = Rig::start(&log).await;
    log.hold();
    let mut commit = Box::pin(rig.commit(42));
    let mut fetch = Box::pin(rig.fetch());
    tokio::select! {
        biased;
        _ = &mut commit => panic!("answered before the batch is durable"),
        _ = &mut fetch => panic!("read what is not durable"),
        () = tokio::task::yield_now() => {}
    }
    assert!(log.release_one());
    assert_eq!((commit.await, fetch.await), (0, 42));
}

#[tokio::test(start_paused = true)]
async fn what_comes_during_a_write_is_the_next_batch() {
    let log = new_log();
    let rig = Rig::start(&log).await;
    log.hold();
    let commits =
        async { tokio::join!(rig.commit(1), rig.commit(2), rig.commit(3), rig.commit(4)) };
    let release = async {
        while log.release_one() {
            tokio::task::yield_now().await
        }
    };
    let (errors, ()) = tokio::join!(biased; commits, release);
    assert_eq!(errors, (0, 0, 0, 0));
    assert_eq!(log.batches(rig.partition()).len(), 2);
    assert_eq!(rig.fetch().await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_takes_too_long_is_given_up_on() {
    let log = new_log();
    let rig = Rig::start(&log).await;
    log.hold();
    assert_eq!(rig.commit(1).await, ErrorCode::CoordinatorNotAvailable.code());
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_write_the_state_is_what_the_log_says() {
    let log = new_log();
    let rig = Rig::start(&log).await;
    assert_eq!(rig.commit(1).await, 0);
    log.fail_next(AppendError::NotReplicated);
    assert_eq!(rig.commit(2).await, ErrorCode::CoordinatorNotAvailable.code());
    rig.until_loaded().await;
    assert_eq!(rig.fetch().await, 1);
    assert_eq!(rig.commit(3).await, 0);
    assert_eq!(rig.fetch().await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_restart_finds_groups_and_offsets() {
    let log = new_log();
    let member = {
        let rig = Rig::start(&log).await;
        let member = rig.stable_member().await;
        rig.coordinator.stop();
        assert_eq!(rig.heartbeat(&member).await, ErrorCode::CoordinatorNotAvailable.code());
        member
    };
    let rig = Rig::start(&log).await;
    assert_eq!(rig.state().await, "Stable");
    assert_eq!(rig.heartbeat(&member).await, 0);
    assert_eq!(&rig.sync(&member).await.assignment[..], b"all");
}

#[tokio::test(start_paused = true)]
async fn who_waits_to_join_is_told_when_leadership_goes() {
    let rig = Rig::start(&new_log()).await;
    let refused = rig.join("").await;
    let resign = async {
        tokio::task::yield_now().await;
        rig.coordinator.resigned(rig.partition());
    };
    let (joined, ()) = tokio::join!(rig.join(&refused.member_id), resign);
    assert_eq!(joined.error_code, ErrorCode::NotCoordinator.code());
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_not_heard_of_is_removed() {
    let rig = Rig::start(&new_log()).await;
    let member = rig.stable_member().await;
    tokio::time::sleep(Duration::from_millis(9_900)).await;
    assert_eq!(rig.heartbeat(&member).await, 0);
    tokio::time::sleep(Duration::from_millis(9_900)).await;
    assert_eq!(rig.state().await, "Stable");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(rig.state().await, "Empty");
    assert_eq!(rig.heartbeat(&member).await, ErrorCode::UnknownMemberId.code());
}

#[tokio::test(start_paused = true)]
async fn empty_ids_and_odd_timeouts_are_refused_at_the_door() {
    let rig = Rig::start(&new_log()).await;
    let invalid = ErrorCode::InvalidGroupId.code();
    let coordinator = &rig.coordinator;
    assert_eq!(coordinator.heartbeat(heartbeat::Request::default()).await.error_code, invalid);
    assert_eq!(coordinator.sync_group(3, sync_group::Request::default()).await.error_code, invalid);
    assert_eq!(
        coordinator.sync_group(5, sync_group::Request::default()).await.error_code,
        ErrorCode::InconsistentGroupProtocol.code()
    );
    for (session_timeout_ms, version) in [(5_999, 9), (1_800_001, 0)] {
        let group_id = StrBytes::from(GROUP);
        let request = join_group::Request { group_id, session_timeout_ms, ..Default::default() };
        let response =
            coordinator.join_group(version, Client::default(), "1".into(), request).await;
        assert_eq!(response.error_code, ErrorCode::InvalidSessionTimeout.code());
        let expected_name = (version < 7).then(StrBytes::default);
        assert_eq!(response.protocol_name, expected_name);
    }
}

#[tokio::test(start_paused = true)]
async fn metrics_see_groups_members_and_offsets() {
    let rig = Rig::start(&new_log()).await;
    assert_eq!(rig.commit(42).await, 0);
    let member = rig.stable_member().await;
    assert_eq!(rig.heartbeat(&member).await, 0);
    let mut seen = Vec::new();
    rig.coordinator.visit(|group| {
        let committed = group.committed().flat_map(|(topic, partitions)| {
            partitions.map(move |(index, offset)| format!("{topic}-{index}={offset}"))
        });
        let committed: Vec<_> = committed.collect();
        seen.push((group.id().to_owned(), group.state(), group.member_count(), committed));
    });
    assert_eq!(seen, [("g".to_owned(), "Stable", 1, vec!["t-0=42".to_owned()])]);
}
