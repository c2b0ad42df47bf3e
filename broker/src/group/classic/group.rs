//! One classic group: its members, and what follows from them.
//!
//! Invariants, checked by [`ClassicGroup::check`] after every event:
//! - all members share the protocol type and at least one protocol;
//! - a group that is `Empty` has no members; one that is `Stable` or `CompletingRebalance` has
//!   members, a leader among them and a chosen protocol;
//! - pending members are not members; those who still have to sync are;
//! - `static_members` maps exactly the instance ids of the members;
//! - a JoinGroup waits only while preparing a rebalance, a SyncGroup only while completing one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use protocol_codec::StrBytes;
use protocol_codec::coordinator_records::consumer_offsets::GroupMetadataValue;
use protocol_codec::messages::join_group;

use super::member::Member;
use super::state::GroupState;
use crate::group::event::Now;
use crate::group::owned::owned_str;
use crate::group::subscription;

/// The protocol type of the Java consumer and of everything that behaves like it.
pub(crate) const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// What the join timer does when it fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinPhase {
    /// A new group waits `group.initial.rebalance.delay.ms`, again and again while members
    /// arrive, up to the rebalance timeout.
    Initial { delay_ms: i32, remaining_ms: i32 },
    /// The members known from before have the rebalance timeout to join again.
    Rejoin,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClassicGroup {
    pub(crate) id: StrBytes,
    pub(crate) state: GroupState,
    pub(crate) previous_state: GroupState,
    /// Milliseconds since the epoch at which the state was reached; unknown in old records.
    pub(crate) state_timestamp_ms: Option<i64>,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    pub(crate) generation: i32,
    pub(crate) leader: Option<StrBytes>,
    /// Ordered by member id, so that every choice among them is the same in every run.
    pub(crate) members: BTreeMap<StrBytes, Member>,
    /// Instance id to member id.
    pub(crate) static_members: BTreeMap<StrBytes, StrBytes>,
    /// Ids handed out with MEMBER_ID_REQUIRED that have not come back yet.
    pub(crate) pending_join: BTreeSet<StrBytes>,
    /// Members of this generation that have not sent their SyncGroup yet.
    pub(crate) pending_sync: BTreeSet<StrBytes>,
    /// Topics that the members subscribe to, if the group is a consumer group that says so.
    pub(crate) subscribed_topics: Option<BTreeSet<StrBytes>>,
    pub(crate) join_phase: JoinPhase,
    /// A member came while the initial delay ran: it is extended.
    pub(crate) new_member_added: bool,
    /// The log knows the group, by a record of it or of an offset: deleting it needs a tombstone.
    pub(crate) persisted: bool,
}

impl ClassicGroup {
    pub(crate) fn new(id: &StrBytes, state_timestamp_ms: Option<i64>) -> Self {
        Self {
            id: owned_str(id),
            state: GroupState::Empty,
            previous_state: GroupState::Dead,
            state_timestamp_ms,
            protocol_type: None,
            protocol: None,
            generation: 0,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_join: BTreeSet::new(),
            pending_sync: BTreeSet::new(),
            subscribed_topics: None,
            join_phase: JoinPhase::Rejoin,
            new_member_added: false,
            persisted: false,
        }
    }

    pub(crate) fn is_in(&self, state: GroupState) -> bool {
        self.state == state
    }

    /// Nobody is in it and nobody is expected.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_in(GroupState::Empty) && self.pending_join.is_empty()
    }

    pub(crate) fn transition_to(&mut self, next: GroupState, now: Now) {
        assert!(self.state.may_become(next), "{} may not become {next}", self.state);
        self.previous_state = self.state;
        self.state = next;
        self.state_timestamp_ms = Some(now.wall_ms);
    }

    pub(crate) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    pub(crate) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// The longest of the members' rebalance timeouts: all get as long as the slowest asks for.
    pub(crate) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|m| m.rebalance_timeout_ms).max().unwrap_or(0).max(0)
    }

    pub(crate) fn awaiting_join_count(&self) -> usize {
        self.members.values().filter(|m| m.awaiting_join.is_some()).count()
    }

    pub(crate) fn has_all_members_joined(&self) -> bool {
        self.pending_join.is_empty() && self.members.values().all(|m| m.awaiting_join.is_some())
    }

    /// Whether a member with these protocols could be in the group as it is.
    pub(crate) fn supports(&self, request: &join_group::Request) -> bool {
        if self.is_in(GroupState::Empty) {
            return !request.protocol_type.is_empty() && !request.protocols.is_empty();
        }
        self.protocol_type.as_ref() == Some(&request.protocol_type)
            && request.protocols.iter().any(|p| self.is_candidate(&p.name))
    }

    /// Whether all members offer the protocol.
    fn is_candidate(&self, protocol: &str) -> bool {
        self.members.values().all(|m| m.offers(protocol))
    }

    /// Adds a member that joins. The group takes the first one's protocol type, and the first
    /// one as leader.
    pub(crate) fn add(&mut self, member: Member, protocol_type: &StrBytes) {
        if self.members.is_empty() {
            self.protocol_type = Some(owned_str(protocol_type));
        }
        if let Some(instance_id) = &member.instance_id {
            let before = self.static_members.insert(instance_id.clone(), member.id.clone());
            assert_eq!(before, None, "a static member is replaced, not added twice");
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.pending_join.remove(&member.id);
        let before = self.members.insert(member.id.clone(), member);
        assert!(before.is_none(), "a member is added once");
    }

    /// Removes a member or a pending one. Its waiting requests, if any, are the caller's to answer.
    pub(crate) fn remove(&mut self, member_id: &str) -> Option<Member> {
        self.pending_join.remove(member_id);
        self.pending_sync.remove(member_id);
        let removed = self.members.remove(member_id);
        if let Some(instance_id) = removed.as_ref().and_then(|m| m.instance_id.as_ref()) {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        removed
    }

    /// Makes sure that the leader is among those who joined again; false if nobody has.
    pub(crate) fn elect_joined_leader(&mut self) -> bool {
        let has_joined = |m: &Member| m.awaiting_join.is_some();
        let leader = self.leader.as_ref().and_then(|id| self.members.get(id));
        if leader.is_some_and(has_joined) {
            return true;
        }
        match self.members.values().find(|m| has_joined(m)) {
            Some(member) => {
                self.leader = Some(member.id.clone());
                true
            }
            None => false,
        }
    }

    /// The protocol that all members offer and most of them like best. Among equals the one
    /// with the smallest name, so that the vote does not depend on any order in memory.
    pub(crate) fn select_protocol(&self) -> Option<StrBytes> {
        let mut offers: HashMap<&StrBytes, usize> = HashMap::new();
        for name in self.members.values().flat_map(Member::protocol_names) {
            *offers.entry(name).or_default() += 1;
        }
        let mut votes: BTreeMap<&StrBytes, usize> = BTreeMap::new();
        for member in self.members.values() {
            let mut names = member.protocol_names().into_iter();
            let vote = names.find(|name| offers.get(name) == Some(&self.members.len()))?;
            *votes.entry(vote).or_default() += 1;
        }
        let most = votes.values().copied().max()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.clone())
    }

    /// The join phase is over: the next generation, of the members that are here.
    pub(crate) fn start_next_generation(&mut self, now: Now) {
        // Kafka's generation wraps in the same way, after two thousand million rebalances.
        self.generation = self.generation.wrapping_add(1);
        self.protocol = self.select_protocol();
        let next = if self.members.is_empty() {
            GroupState::Empty
        } else {
            GroupState::CompletingRebalance
        };
        self.transition_to(next, now);
        self.subscribed_topics = self.read_subscriptions();
        self.pending_sync.clear();
    }

    /// The topics of all members; `None` if the group is not a consumer group, has no generation
    /// yet, or has a member whose subscription cannot be read.
    fn read_subscriptions(&self) -> Option<BTreeSet<StrBytes>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol.as_ref()?;
        subscription::topics_of(self.members.values().map(|member| member.metadata(protocol)))
    }

    /// Whether the group reads this topic now, as far as it is known: a consumer group whose
    /// subscription cannot be read is taken to read everything.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    /// The members as the leader gets them, to make its assignment.
    pub(crate) fn members_for_leader(&self) -> Vec<join_group::JoinGroupResponseMember> {
        let protocol = self.protocol.clone().unwrap_or_default();
        let members = self.members.values();
        members
            .map(|m| join_group::JoinGroupResponseMember {
                member_id: m.id.clone(),
                group_instance_id: m.instance_id.clone(),
                metadata: m.metadata(&protocol),
            })
            .collect()
    }

    /// The group as a record holds it, with the assignments that `assignment` gives.
    pub(crate) fn to_record(&self, assignment: impl Fn(&Member) -> Bytes) -> GroupMetadataValue {
        let protocol = self.protocol.clone().unwrap_or_default();
        let members = self.members.values();
        GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            current_state_timestamp: self.state_timestamp_ms.unwrap_or(-1),
            members: members.map(|m| m.to_record(&protocol, assignment(m))).collect(),
        }
    }

    /// Takes over what a record says: the live path, a restart and a failover alike. What a
    /// record does not hold (tokens, other protocols of known members) stays.
    pub(crate) fn replay(&mut self, record: &GroupMetadataValue) {
        let state = if record.members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        if self.state != state {
            self.previous_state = self.state;
            self.state = state;
        }
        self.persisted = true;
        self.state_timestamp_ms =
            (record.current_state_timestamp != -1).then_some(record.current_state_timestamp);
        self.protocol_type =
            (!record.protocol_type.is_empty()).then(|| owned_str(&record.protocol_type));
        self.protocol = record.protocol.as_ref().map(owned_str);
        self.generation = record.generation;

        let mut before = std::mem::take(&mut self.members);
        self.static_members.clear();
        for member_record in &record.members {
            let member = match before.remove(&member_record.member_id) {
                Some(mut known) => {
                    known.replay(record.protocol.as_ref(), member_record);
                    known
                }
                None => Member::from_record(record.protocol.as_ref(), member_record),
            };
            if let Some(instance_id) = &member.instance_id {
                self.static_members.insert(instance_id.clone(), member.id.clone());
            }
            self.members.insert(member.id.clone(), member);
        }
        // Kafka never writes members without a leader and a protocol; a group that is read from
        // a log gets them all the same, so that the invariants hold for whatever is on disk.
        let leader = record.leader.as_ref().filter(|id| self.members.contains_key(*id));
        self.leader = leader.map(owned_str).or_else(|| self.members.keys().next().cloned());
        if !self.members.is_empty() {
            self.protocol.get_or_insert_default();
        }
        self.pending_sync.retain(|id| self.members.contains_key(id));
        self.pending_join.retain(|id| !self.members.contains_key(id));
        self.subscribed_topics = self.read_subscriptions();
    }

    /// Panics if an invariant does not hold; called after every event in debug builds.
    pub(crate) fn check(&self) {
        use GroupState::{CompletingRebalance, Dead, Empty, PreparingRebalance, Stable};
        assert!(self.state != Dead);
        assert!(!self.is_in(Empty) || self.members.is_empty());
        if matches!(self.state, CompletingRebalance | Stable) {
            assert!(!self.members.is_empty());
            assert!(self.leader.as_ref().is_some_and(|id| self.members.contains_key(id)));
            assert!(self.protocol.as_ref().is_some_and(|name| self.is_candidate(name)));
        }
        let static_count = self.members.values().filter(|m| m.instance_id.is_some()).count();
        assert_eq!(self.static_members.len(), static_count);
        for (id, member) in &self.members {
            assert_eq!(id, &member.id);
            assert!(!self.pending_join.contains(id));
            assert!(member.awaiting_join.is_none() || self.is_in(PreparingRebalance));
            assert!(member.awaiting_sync.is_none() || self.is_in(CompletingRebalance));
            if let Some(instance_id) = &member.instance_id {
                assert_eq!(self.static_members.get(instance_id), Some(id));
            }
        }
        assert!(self.pending_sync.iter().all(|id| self.members.contains_key(id)));
    }
}
