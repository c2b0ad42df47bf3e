//! What an operation on one group may touch besides the group: the clock's reading, the limits,
//! the timers, and the outcome that it adds to.

use bytes::Bytes;
use protocol_codec::ErrorCode;
use protocol_codec::StrBytes;
use protocol_codec::messages::{join_group, sync_group};

use super::GroupConfig;
use super::classic::group::ClassicGroup;
use super::classic::member::Member;
use super::event::{Answer, Now, Outcome, Token};
use super::record::Record;
use super::timer::{TimerKey, Timers};

#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) now: Now,
    pub(super) config: &'a GroupConfig,
    pub(super) timers: &'a mut Timers,
    pub(super) out: &'a mut Outcome,
}

impl Context<'_> {
    /// The member has to be heard of within `timeout_ms` from now.
    pub(super) fn set_session(
        &mut self,
        group_id: &StrBytes,
        member_id: &StrBytes,
        timeout_ms: i32,
    ) {
        let key = TimerKey::Session { group: group_id.clone(), member: member_id.clone() };
        self.timers.set(key, self.now.ms.saturating_add(i64::from(timeout_ms.max(0))));
    }

    pub(super) fn renew_session(&mut self, group_id: &StrBytes, member: &Member) {
        self.set_session(group_id, &member.id, member.session_timeout_ms);
    }

    pub(super) fn cancel_session(&mut self, group_id: &StrBytes, member_id: &StrBytes) {
        let key = TimerKey::Session { group: group_id.clone(), member: member_id.clone() };
        self.timers.cancel(&key);
    }

    pub(super) fn set_timer(&mut self, key: TimerKey, delay_ms: i32) {
        self.timers.set(key, self.now.ms.saturating_add(i64::from(delay_ms.max(0))));
    }

    /// Writes the group with the assignments that its members have.
    pub(super) fn write_group(&mut self, group: &ClassicGroup) {
        self.out.records.push(group_record(group));
    }

    /// Whether the group's record is small enough for the log.
    pub(super) fn fits(&self, group: &ClassicGroup) -> bool {
        group_record(group).encoded_size() <= self.config.record_bytes_max
    }

    pub(super) fn reply_join(&mut self, token: Token, response: join_group::Response) {
        self.out.reply(token, Answer::Join(Box::new(response)));
    }

    pub(super) fn reply_join_error(
        &mut self,
        token: Token,
        member_id: &StrBytes,
        error: ErrorCode,
    ) {
        let response = join_group::Response {
            error_code: error.into(),
            member_id: member_id.clone(),
            ..Default::default()
        };
        self.reply_join(token, response);
    }

    pub(super) fn reply_sync_error(&mut self, token: Token, error: ErrorCode) {
        let response = sync_group::Response { error_code: error.into(), ..Default::default() };
        self.out.reply(token, Answer::Sync(response));
    }

    /// A SyncGroup that succeeds: the member's part of the generation's assignment.
    pub(super) fn reply_assignment(
        &mut self,
        token: Token,
        group: &ClassicGroup,
        assignment: Bytes,
    ) {
        let response = sync_group::Response {
            protocol_type: group.protocol_type.clone(),
            protocol_name: group.protocol.clone(),
            assignment,
            ..Default::default()
        };
        self.out.reply(token, Answer::Sync(response));
    }

    /// Answers whatever a removed member still waits for: it is not known any more. A client
    /// that is alive joins again as a new member.
    pub(super) fn dismiss(&mut self, group_id: &StrBytes, mut member: Member) {
        self.cancel_session(group_id, &member.id);
        if let Some(token) = member.awaiting_join.take() {
            self.reply_join_error(token, &StrBytes::default(), ErrorCode::UnknownMemberId);
        }
        if let Some(token) = member.awaiting_sync.take() {
            self.reply_sync_error(token, ErrorCode::UnknownMemberId);
        }
    }
}

fn group_record(group: &ClassicGroup) -> Record {
    Record::group(&group.id, Some(group.to_record(|member| member.assignment.clone())))
}
