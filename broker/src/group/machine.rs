//! The group state machine of one partition of `__consumer_offsets`: pure, no I/O, no clock, no
//! randomness.
//!
//! [`Machine::handle`] and [`Machine::on_time`] turn an event or the time into records and
//! replies; [`Machine::replay`] applies a record and is the only way by which what is on disk
//! changes in memory. Records are replayed at the end of the event that made them, so the next
//! event sees them; the shell holds replies back until the records are durable, and if writing
//! fails it throws the machine away and loads a new one from the log.
//!
//! Invariants, checked after every event in debug builds: those of each group
//! ([`super::classic::group`]); every offset has its group; every group with members has timers.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol_codec::messages::{heartbeat, join_group, leave_group, offset_commit, sync_group};
use protocol_codec::{ErrorCode, StrBytes};
use tracing::info;

use super::GroupConfig;
use super::classic::group::ClassicGroup;
use super::classic::{heartbeat as beat, join, leave, rebalance, session, sync};
use super::context::Context;
use super::describe;
use super::event::{Answer, Event, Join, Now, OffsetFetch, Outcome, Token};
use super::offsets::{self, Offsets};
use super::owned::owned_str;
use super::record::{Record, STRING_BYTES_MAX};
use super::timer::{TimerKey, Timers};
use super::view::GroupView;

#[derive(Debug)]
pub struct Machine {
    config: Arc<GroupConfig>,
    /// Ordered, as the offsets are: the same events make the same records, in every run.
    groups: BTreeMap<StrBytes, ClassicGroup>,
    offsets: Offsets,
    timers: Timers,
}

impl Machine {
    pub fn new(config: Arc<GroupConfig>) -> Self {
        Self {
            config,
            groups: BTreeMap::new(),
            offsets: Offsets::default(),
            timers: Timers::default(),
        }
    }

    /// Applies a record that is in the log or on its way there.
    pub fn replay(&mut self, record: &Record) {
        match record {
            Record::Offset { key, value: Some(value) } => {
                self.group_entry(&key.group, None).persisted = true;
                self.offsets.put(&key.group, &key.topic, key.partition, value);
            }
            Record::Offset { key, value: None } => {
                self.offsets.remove(&key.group, &key.topic, key.partition);
            }
            Record::Group { key, value: Some(value) } => {
                self.group_entry(&key.group, None).replay(value);
            }
            Record::Group { key, value: None } => self.forget_group(&key.group),
        }
    }

    /// Called once, after the whole log has been replayed and before the first event: the members
    /// found there have a session timeout from now to show that they live.
    pub fn on_loaded(&mut self, now: Now) -> Outcome {
        let mut out = Outcome::default();
        let mut ctx =
            Context { now, config: &self.config, timers: &mut self.timers, out: &mut out };
        for group in self.groups.values_mut() {
            for member in group.members.values() {
                ctx.renew_session(&group.id, member);
            }
            if group.members.len() > ctx.config.max_size {
                let reason = "the loaded group is larger than group.max.size allows";
                rebalance::prepare(&mut ctx, group, reason);
            }
        }
        self.finish(now, out, 0)
    }

    pub fn handle(&mut self, now: Now, event: Event) -> Outcome {
        let mut out = Outcome::default();
        match event {
            Event::Join(token, join) => self.join(now, &mut out, token, &join),
            Event::Sync(token, request) => self.sync(now, &mut out, token, &request),
            Event::Heartbeat(token, request) => self.heartbeat(now, &mut out, token, &request),
            Event::Leave(token, request) => self.leave(now, &mut out, token, &request),
            Event::OffsetCommit(token, version, request) => {
                self.commit(now, &mut out, token, version, &request);
            }
            Event::OffsetFetch(token, request) => out.reply(token, self.fetch(&request)),
            Event::OffsetDelete(token, request) => {
                let group = self.groups.get(&request.group_id);
                let mut ctx =
                    Context { now, config: &self.config, timers: &mut self.timers, out: &mut out };
                let response = offsets::delete::delete(&mut ctx, group, &self.offsets, &request);
                out.reply(token, Answer::OffsetDelete(response));
            }
            Event::DescribeGroups(token, version, group_ids) => {
                let ids = group_ids.iter();
                let described =
                    ids.map(|id| describe::describe(self.groups.get(id), id, version)).collect();
                out.reply(token, Answer::DescribeGroups(described));
            }
            Event::ListGroups(token, request) => {
                let listed = describe::list(self.groups.values(), &request);
                out.reply(token, Answer::ListGroups(listed));
            }
            Event::DeleteGroups(token, group_ids) => {
                self.delete_groups(now, &mut out, token, &group_ids);
            }
            Event::TopicsDeleted(topics) => {
                let mut ctx =
                    Context { now, config: &self.config, timers: &mut self.timers, out: &mut out };
                offsets::delete::delete_of_topics(&mut ctx, &self.offsets, &topics);
            }
        }
        self.finish(now, out, 0)
    }

    /// When [`Machine::on_time`] wants to be called next, on the clock that never jumps.
    pub fn next_deadline(&self) -> Option<i64> {
        self.timers.next_deadline()
    }

    /// Does all that is due.
    pub fn on_time(&mut self, now: Now) -> Outcome {
        let mut out = Outcome::default();
        while let Some(timer) = self.timers.pop_due(now.ms) {
            let replayed = out.records.len();
            self.on_timer(now, &mut out, timer);
            out = self.finish(now, out, replayed);
        }
        out
    }

    pub(super) fn views(&self) -> impl Iterator<Item = GroupView<'_>> {
        self.groups.iter().map(|(id, group)| GroupView::new(group, self.offsets.group(id)))
    }

    fn on_timer(&mut self, now: Now, out: &mut Outcome, timer: TimerKey) {
        let mut ctx = Context { now, config: &self.config, timers: &mut self.timers, out };
        match timer {
            TimerKey::Session { group: group_id, member } => {
                if let Some(group) = self.groups.get_mut(&group_id) {
                    session::on_session_timer(&mut ctx, group, &member);
                }
                self.forget_if_never_used(&group_id);
            }
            TimerKey::Join { group } => {
                if let Some(group) = self.groups.get_mut(&group) {
                    rebalance::on_join_timer(&mut ctx, group);
                }
            }
            TimerKey::Sync { group } => {
                if let Some(group) = self.groups.get_mut(&group) {
                    session::on_sync_timer(&mut ctx, group);
                }
            }
            TimerKey::Cleanup => self.clean_up(now, out),
        }
    }

    fn join(&mut self, now: Now, out: &mut Outcome, token: Token, join: &Join) {
        let request = &join.request;
        if let Err(error) = check_join(&self.config, request) {
            let member_id = request.member_id.clone();
            let response =
                join_group::Response { error_code: error.into(), member_id, ..Default::default() };
            return out.reply(token, Answer::Join(Box::new(response)));
        }
        let is_new_member = request.member_id.is_empty();
        if is_new_member {
            self.group_entry(&request.group_id, Some(now.wall_ms));
        }
        let mut ctx = Context { now, config: &self.config, timers: &mut self.timers, out };
        match self.groups.get_mut(&request.group_id) {
            Some(group) => join::join(&mut ctx, group, token, join),
            None => ctx.reply_join_error(token, &request.member_id, ErrorCode::UnknownMemberId),
        }
        self.forget_if_never_used(&request.group_id);
    }

    fn sync(&mut self, now: Now, out: &mut Outcome, token: Token, request: &sync_group::Request) {
        let mut ctx = Context { now, config: &self.config, timers: &mut self.timers, out };
        match self.groups.get_mut(&request.group_id) {
            Some(group) => sync::sync(&mut ctx, group, token, request),
            None => ctx.reply_sync_error(token, ErrorCode::UnknownMemberId),
        }
    }

    fn heartbeat(
        &mut self,
        now: Now,
        out: &mut Outcome,
        token: Token,
        request: &heartbeat::Request,
    ) {
        let mut ctx = Context { now, config: &self.config, timers: &mut self.timers, out };
        let error = match self.groups.get(&request.group_id) {
            Some(group) => beat::heartbeat(&mut ctx, group, request),
            None => ErrorCode::UnknownMemberId,
        };
        let response = heartbeat::Response { error_code: error.into(), ..Default::default() };
        out.reply(token, Answer::Heartbeat(response));
    }

    fn leave(&mut self, now: Now, out: &mut Outcome, token: Token, request: &leave_group::Request) {
        let mut ctx = Context { now, config: &self.config, timers: &mut self.timers, out };
        let members = match self.groups.get_mut(&request.group_id) {
            Some(group) => leave::leave(&mut ctx, group, request),
            None => {
                let unknown = |m| leave::member_response(m, ErrorCode::UnknownMemberId);
                request.members.iter().map(unknown).collect()
            }
        };
        let response = leave_group::Response { members, ..Default::default() };
        out.reply(token, Answer::Leave(response));
        self.forget_if_never_used(&request.group_id);
    }

    fn commit(
        &mut self,
        now: Now,
        out: &mut Outcome,
        token: Token,
        version: i16,
        request: &offset_commit::Request,
    ) {
        let mut ctx = Context { now, config: &self.config, timers: &mut self.timers, out };
        let group = self.groups.get(&request.group_id);
        let admitted = if request.group_id.len() > STRING_BYTES_MAX {
            Err(ErrorCode::InvalidGroupId)
        } else {
            offsets::commit::admit(&mut ctx, group, version, request)
        };
        let response = match admitted {
            Ok(()) => offsets::commit::commit(&mut ctx, request),
            Err(error) => offsets::commit::error_response(request, error),
        };
        out.reply(token, Answer::OffsetCommit(response));
    }

    fn fetch(&self, request: &OffsetFetch) -> Answer {
        let committed = self.offsets.group(&request.group_id);
        Answer::OffsetFetch(offsets::fetch::fetch(committed, request))
    }

    fn delete_groups(&mut self, now: Now, out: &mut Outcome, token: Token, group_ids: &[StrBytes]) {
        let mut ctx = Context { now, config: &self.config, timers: &mut self.timers, out };
        let mut results = Vec::with_capacity(group_ids.len());
        for group_id in group_ids {
            let error = describe::may_delete(self.groups.get(group_id));
            if error == ErrorCode::None {
                offsets::delete::delete_all(&mut ctx, &self.offsets, group_id);
                ctx.out.records.push(Record::group(group_id, None));
                info!("The group {group_id} was deleted");
            }
            results.push(describe::delete_result(group_id, error));
        }
        out.reply(token, Answer::DeleteGroups(results));
    }

    /// Expires offsets, and removes groups that have neither members nor offsets left.
    fn clean_up(&mut self, now: Now, out: &mut Outcome) {
        let mut ctx = Context { now, config: &self.config, timers: &mut self.timers, out };
        let mut never_written = Vec::new();
        for group in self.groups.values() {
            let nothing_left = offsets::expire::expire(&mut ctx, group, &self.offsets);
            if !nothing_left || !group.is_idle() {
                continue;
            }
            if group.persisted {
                ctx.out.records.push(Record::group(&group.id, None));
            } else {
                never_written.push(group.id.clone());
            }
        }
        for group_id in never_written {
            self.forget_group(&group_id);
        }
    }

    /// The group, made now if it is not there yet.
    fn group_entry(
        &mut self,
        group_id: &StrBytes,
        state_timestamp_ms: Option<i64>,
    ) -> &mut ClassicGroup {
        let key = owned_str(group_id);
        self.groups.entry(key).or_insert_with_key(|key| ClassicGroup::new(key, state_timestamp_ms))
    }

    fn forget_group(&mut self, group_id: &StrBytes) {
        let Some(group) = self.groups.remove(group_id) else { return };
        self.timers.cancel(&TimerKey::Join { group: group.id.clone() });
        self.timers.cancel(&TimerKey::Sync { group: group.id.clone() });
        for member in group.members.keys().chain(&group.pending_join) {
            let key = TimerKey::Session { group: group.id.clone(), member: member.clone() };
            self.timers.cancel(&key);
        }
    }

    /// A group that was made for a member who never came leaves no trace.
    fn forget_if_never_used(&mut self, group_id: &StrBytes) {
        let is_unused = |group: &ClassicGroup| group.is_idle() && !group.persisted;
        if self.groups.get(group_id).is_some_and(is_unused) {
            self.forget_group(group_id);
        }
    }

    /// Ends every event: replays the records it made (from `replayed` on), arms the clean-up.
    fn finish(&mut self, now: Now, out: Outcome, replayed: usize) -> Outcome {
        for record in out.records.iter().skip(replayed) {
            self.replay(record);
        }
        if self.groups.is_empty() {
            self.timers.cancel(&TimerKey::Cleanup);
        } else if !self.timers.is_set(&TimerKey::Cleanup) {
            let at_ms = now.ms.saturating_add(self.config.retention_check_interval_ms);
            self.timers.set(TimerKey::Cleanup, at_ms);
        }
        if cfg!(debug_assertions) {
            self.check();
        }
        out
    }

    fn check(&self) {
        for (group_id, group) in &self.groups {
            assert_eq!(group_id, &group.id);
            group.check();
        }
        for (group_id, _) in self.offsets.groups() {
            assert!(self.groups.contains_key(group_id), "an offset has its group");
        }
    }
}

/// Refuses what the group's record could not hold.
fn check_join(config: &GroupConfig, request: &join_group::Request) -> Result<(), ErrorCode> {
    if request.group_id.len() > STRING_BYTES_MAX {
        return Err(ErrorCode::InvalidGroupId);
    }
    // A member id is made of the instance id (or the client id) and a UUID.
    const MEMBER_ID_SUFFIX_BYTES: usize = 37;
    let instance_id = request.group_instance_id.as_deref().unwrap_or_default();
    let names = request.protocols.iter().map(|p| &*p.name);
    let longest = names.chain([&*request.protocol_type, instance_id]).map(str::len).max();
    let metadata_bytes: usize = request.protocols.iter().map(|p| p.metadata.len()).sum();
    let fits = longest.unwrap_or(0) + MEMBER_ID_SUFFIX_BYTES <= STRING_BYTES_MAX;
    if fits && metadata_bytes <= config.record_bytes_max {
        Ok(())
    } else {
        Err(ErrorCode::InvalidRequest)
    }
}

#[cfg(test)]
mod tests;
