//! One member of a classic group.
//!
//! Persistent are id, instance id, client, timeouts, the metadata of the chosen protocol and the
//! assignment; the rest (other protocols, tokens) lives only as long as the process.

use bytes::Bytes;
use protocol_codec::StrBytes;
use protocol_codec::coordinator_records::consumer_offsets::group_metadata::MemberMetadata;
use protocol_codec::messages::{describe_groups, join_group};

use crate::group::event::{Client, Token};
use crate::group::owned::{owned_bytes, owned_str};

/// An assignor or whatever else the members have to agree on, with the member's data for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) name: StrBytes,
    pub(crate) metadata: Bytes,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub(crate) id: StrBytes,
    /// Set for a static member: who it is across restarts.
    pub(crate) instance_id: Option<StrBytes>,
    pub(crate) client: Client,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) session_timeout_ms: i32,
    /// In the member's order of preference.
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) assignment: Bytes,
    /// The JoinGroup that waits for the join phase to end.
    pub(crate) awaiting_join: Option<Token>,
    /// The SyncGroup that waits for the leader's assignment.
    pub(crate) awaiting_sync: Option<Token>,
    /// Has not been given a generation yet, so it cannot send heartbeats.
    pub(crate) is_new: bool,
}

impl Member {
    /// A member as its JoinGroup request describes it. Nothing of the frame is kept alive.
    pub(crate) fn from_join(id: StrBytes, client: Client, request: &join_group::Request) -> Self {
        Self {
            id,
            instance_id: request.group_instance_id.as_ref().map(owned_str),
            client: Client { id: owned_str(&client.id), host: owned_str(&client.host) },
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols: owned_protocols(request),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: true,
        }
    }

    pub(crate) fn from_record(protocol: Option<&StrBytes>, record: &MemberMetadata) -> Self {
        let mut member = Self {
            id: owned_str(&record.member_id),
            instance_id: None,
            client: Client::default(),
            rebalance_timeout_ms: 0,
            session_timeout_ms: 0,
            protocols: Vec::new(),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        };
        member.replay(protocol, record);
        member
    }

    /// Takes over what a record says. The record knows only the chosen protocol: a member that
    /// offered exactly this keeps its other offers, for the next vote.
    pub(crate) fn replay(&mut self, protocol: Option<&StrBytes>, record: &MemberMetadata) {
        self.instance_id = record.group_instance_id.as_ref().map(owned_str);
        self.client =
            Client { id: owned_str(&record.client_id), host: owned_str(&record.client_host) };
        self.session_timeout_ms = record.session_timeout;
        // Records before version 1 have no rebalance timeout.
        self.rebalance_timeout_ms = match record.rebalance_timeout {
            -1 => record.session_timeout,
            timeout_ms => timeout_ms,
        };
        self.assignment = owned_bytes(&record.assignment);
        let chosen = protocol.cloned().unwrap_or_default();
        if !self.protocols.iter().any(|p| p.name == chosen && p.metadata == record.subscription) {
            let metadata = owned_bytes(&record.subscription);
            self.protocols = vec![Protocol { name: owned_str(&chosen), metadata }];
        }
    }

    pub(crate) fn to_record(&self, protocol: &str, assignment: Bytes) -> MemberMetadata {
        MemberMetadata {
            member_id: self.id.clone(),
            group_instance_id: self.instance_id.clone(),
            client_id: self.client.id.clone(),
            client_host: self.client.host.clone(),
            rebalance_timeout: self.rebalance_timeout_ms,
            session_timeout: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment,
        }
    }

    /// The member's data for `protocol`; empty if it does not offer it.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let offered = self.protocols.iter().find(|p| &*p.name == protocol);
        offered.map(|p| p.metadata.clone()).unwrap_or_default()
    }

    pub(crate) fn offers(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|p| &*p.name == protocol)
    }

    /// The names offered, each once, in order of preference.
    pub(crate) fn protocol_names(&self) -> Vec<&StrBytes> {
        let mut names = Vec::with_capacity(self.protocols.len());
        for protocol in &self.protocols {
            if !names.contains(&&protocol.name) {
                names.push(&protocol.name);
            }
        }
        names
    }

    /// Whether the request offers the very same protocols, in the same order.
    pub(crate) fn matches(&self, request: &join_group::Request) -> bool {
        self.protocols.len() == request.protocols.len()
            && self
                .protocols
                .iter()
                .zip(&request.protocols)
                .all(|(mine, theirs)| mine.name == theirs.name && mine.metadata == theirs.metadata)
    }

    pub(crate) fn update(&mut self, request: &join_group::Request) {
        self.protocols = owned_protocols(request);
        self.rebalance_timeout_ms = request.rebalance_timeout_ms;
        self.session_timeout_ms = request.session_timeout_ms;
    }

    /// A member with a request of its own waiting here cannot send heartbeats and needs none,
    /// except a new one: its client may have gone long ago.
    pub(crate) fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    /// As DescribeGroups shows it; the metadata only while the group is stable.
    pub(crate) fn describe(&self, protocol: Option<&str>) -> describe_groups::DescribedGroupMember {
        describe_groups::DescribedGroupMember {
            member_id: self.id.clone(),
            group_instance_id: self.instance_id.clone(),
            client_id: self.client.id.clone(),
            client_host: self.client.host.clone(),
            member_metadata: protocol.map(|name| self.metadata(name)).unwrap_or_default(),
            member_assignment: self.assignment.clone(),
        }
    }
}

fn owned_protocols(request: &join_group::Request) -> Vec<Protocol> {
    let protocols = request.protocols.iter();
    protocols
        .map(|p| Protocol { name: owned_str(&p.name), metadata: owned_bytes(&p.metadata) })
        .collect()
}

/// The client's own words, shortened: they go to the log.
pub(crate) fn client_reason(request: &join_group::Request) -> String {
    const REASON_CHARS_MAX: usize = 255;
    match request.reason.as_deref() {
        None | Some("") => "client reason: not provided".to_owned(),
        Some(reason) => {
            let short: String = reason.chars().take(REASON_CHARS_MAX).collect();
            format!("client reason: {}", short.escape_debug())
        }
    }
}
