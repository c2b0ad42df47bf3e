//! What the handlers call: a request goes in, its response comes out, whatever happens.
//!
//! Checks that need no group (empty ids, timeouts out of bounds) are made here; differences
//! between versions that the machine does not care about are evened out here, on the way in and
//! on the way out. Topics are resolved and requests authorised before.

use std::future::Future;
use std::time::Duration;

use protocol_codec::messages::{
    delete_groups, describe_groups, heartbeat, join_group, leave_group, list_groups, offset_commit,
    offset_delete, offset_fetch, sync_group,
};
use protocol_codec::{ErrorCode, StrBytes};
use tokio::sync::oneshot;

use super::coordinator::GroupCoordinator;
use super::describe;
use super::event::{Answer, Client, Event, Join, OffsetFetch};
use super::offsets;
use super::shard::Reply;

type Waiter = Result<oneshot::Receiver<Reply>, ErrorCode>;

impl GroupCoordinator {
    /// Joins a member, or has it wait for the others. `member_id_suffix` is random text (a UUID)
    /// for the id of a new member.
    pub async fn join_group(
        &self,
        version: i16,
        client: Client,
        member_id_suffix: StrBytes,
        mut request: join_group::Request,
    ) -> join_group::Response {
        if version == 0 {
            // There was one timeout for both then.
            request.rebalance_timeout_ms = request.session_timeout_ms;
        }
        let config = &self.shared.config;
        let session_bounds = config.session_timeout_ms_min..=config.session_timeout_ms_max;
        let mut response = if request.group_id.is_empty() {
            join_error(request.member_id, ErrorCode::InvalidGroupId)
        } else if !session_bounds.contains(&request.session_timeout_ms) {
            join_error(request.member_id, ErrorCode::InvalidSessionTimeout)
        } else {
            let group_id = request.group_id.clone();
            let join = Box::new(Join { request, version, client, member_id_suffix });
            let waiter = self.submit(&group_id, |token| Event::Join(token, join));
            match parked(waiter).await {
                Ok(Answer::Join(response)) => *response,
                other => join_error(StrBytes::default(), unexpected(other)),
            }
        };
        // "No protocol" is null since version 7, and empty before.
        let name = response.protocol_name.take().filter(|name| !name.is_empty());
        response.protocol_name = if version < 7 { Some(name.unwrap_or_default()) } else { name };
        response
    }

    /// Hands in the leader's assignment, or waits for it.
    pub async fn sync_group(
        &self,
        version: i16,
        request: sync_group::Request,
    ) -> sync_group::Response {
        let lacks_protocol =
            version >= 5 && (request.protocol_type.is_none() || request.protocol_name.is_none());
        let error = if lacks_protocol {
            ErrorCode::InconsistentGroupProtocol
        } else if request.group_id.is_empty() {
            ErrorCode::InvalidGroupId
        } else {
            let group_id = request.group_id.clone();
            let waiter = self.submit(&group_id, |token| Event::Sync(token, request));
            match parked(waiter).await {
                Ok(Answer::Sync(response)) => return response,
                other => unexpected(other),
            }
        };
        sync_group::Response { error_code: error.into(), ..Default::default() }
    }

    pub async fn heartbeat(&self, request: heartbeat::Request) -> heartbeat::Response {
        let error = if request.group_id.is_empty() {
            ErrorCode::InvalidGroupId
        } else {
            let group_id = request.group_id.clone();
            let waiter = self.submit(&group_id, |token| Event::Heartbeat(token, request));
            match self.answered(waiter).await {
                Ok(Answer::Heartbeat(response)) => return response,
                // The group is being loaded: the member is as good as alive.
                Err(ErrorCode::CoordinatorLoadInProgress) => ErrorCode::None,
                other => unexpected(other),
            }
        };
        heartbeat::Response { error_code: error.into(), ..Default::default() }
    }

    /// Before version 3 one member leaves, by a field of its own.
    pub async fn leave_group(
        &self,
        version: i16,
        mut request: leave_group::Request,
    ) -> leave_group::Response {
        if version < 3 {
            let member_id = request.member_id.clone();
            request.members = vec![leave_group::MemberIdentity { member_id, ..Default::default() }];
        }
        let response = if request.group_id.is_empty() {
            leave_error(ErrorCode::InvalidGroupId)
        } else {
            let group_id = request.group_id.clone();
            let waiter = self.submit(&group_id, |token| Event::Leave(token, request));
            match self.answered(waiter).await {
                Ok(Answer::Leave(response)) => response,
                other => leave_error(unexpected(other)),
            }
        };
        if version >= 3 {
            return response;
        }
        let member_error = response.members.first().map_or(0, |member| member.error_code);
        let error_code = if response.error_code == 0 { member_error } else { response.error_code };
        leave_group::Response { error_code, ..Default::default() }
    }

    /// Commits offsets. The topics carry names and ids; unknown ones are not among them.
    pub async fn offset_commit(
        &self,
        version: i16,
        request: offset_commit::Request,
    ) -> offset_commit::Response {
        let group_id = request.group_id.clone();
        // Kept for the case that no answer comes: every partition gets the error then.
        let asked = offset_commit::Request { topics: request.topics.clone(), ..Default::default() };
        let waiter = self.submit(&group_id, |token| Event::OffsetCommit(token, version, request));
        match self.answered(waiter).await {
            Ok(Answer::OffsetCommit(response)) => response,
            other => offsets::commit::error_response(&asked, unexpected(other)),
        }
    }

    /// Fetches the offsets of several groups; one answer for each, in the order of the request.
    pub async fn offset_fetch(
        &self,
        groups: Vec<OffsetFetch>,
    ) -> Vec<offset_fetch::OffsetFetchResponseGroup> {
        let mut waiters = Vec::with_capacity(groups.len());
        for group in groups {
            let group_id = group.group_id.clone();
            let waiter = self.submit(&group_id, |token| Event::OffsetFetch(token, group));
            waiters.push((group_id, waiter));
        }
        let mut responses = Vec::with_capacity(waiters.len());
        for (group_id, waiter) in waiters {
            responses.push(match self.answered(waiter).await {
                Ok(Answer::OffsetFetch(response)) => response,
                other => {
                    // Consumers before 3.9 do not try again after COORDINATOR_NOT_AVAILABLE here.
                    let error = match unexpected(other) {
                        ErrorCode::CoordinatorNotAvailable => ErrorCode::NotCoordinator,
                        error => error,
                    };
                    let error_code = error.into();
                    offset_fetch::OffsetFetchResponseGroup {
                        group_id,
                        error_code,
                        ..Default::default()
                    }
                }
            });
        }
        responses
    }

    pub async fn offset_delete(&self, request: offset_delete::Request) -> offset_delete::Response {
        if request.group_id.is_empty() {
            return offsets::delete::error_response(ErrorCode::InvalidGroupId);
        }
        let group_id = request.group_id.clone();
        let waiter = self.submit(&group_id, |token| Event::OffsetDelete(token, request));
        match self.answered(waiter).await {
            Ok(Answer::OffsetDelete(response)) => response,
            other => offsets::delete::error_response(unexpected(other)),
        }
    }

    /// Describes groups, in the order of the request.
    pub async fn describe_groups(
        &self,
        version: i16,
        group_ids: Vec<StrBytes>,
    ) -> Vec<describe_groups::DescribedGroup> {
        let submit = |group_id: StrBytes| {
            let ids = vec![group_id.clone()];
            let waiter = self.submit(&group_id, |token| Event::DescribeGroups(token, version, ids));
            (group_id, waiter)
        };
        let waiters: Vec<_> = group_ids.into_iter().map(submit).collect();
        let mut described = Vec::with_capacity(waiters.len());
        for (group_id, waiter) in waiters {
            match self.answered(waiter).await {
                Ok(Answer::DescribeGroups(groups)) => described.extend(groups),
                other => described.push(describe_groups::DescribedGroup {
                    error_code: unexpected(other).into(),
                    group_id,
                    ..Default::default()
                }),
            }
        }
        described
    }

    /// The groups of all partitions that this broker leads.
    pub async fn list_groups(&self, request: list_groups::Request) -> list_groups::Response {
        let error = |error: ErrorCode| list_groups::Response {
            error_code: error.into(),
            ..Default::default()
        };
        let waiters = match self.submit_all(|token| Event::ListGroups(token, request.clone())) {
            Ok(waiters) => waiters,
            Err(code) => return error(code),
        };
        let mut groups = Vec::new();
        for waiter in waiters {
            match self.answered(Ok(waiter)).await {
                Ok(Answer::ListGroups(listed)) => groups.extend(listed),
                // The partition has just moved to another broker, which lists its groups.
                Err(ErrorCode::NotCoordinator) => {}
                other => return error(unexpected(other)),
            }
        }
        list_groups::Response { groups, ..Default::default() }
    }

    /// Deletes groups; each is named once in the answer.
    pub async fn delete_groups(
        &self,
        mut group_ids: Vec<StrBytes>,
    ) -> Vec<delete_groups::DeletableGroupResult> {
        let mut seen = std::collections::HashSet::new();
        group_ids.retain(|group_id| seen.insert(group_id.clone()));
        let submit = |group_id: StrBytes| {
            let ids = vec![group_id.clone()];
            let waiter = self.submit(&group_id, |token| Event::DeleteGroups(token, ids));
            (group_id, waiter)
        };
        let waiters: Vec<_> = group_ids.into_iter().map(submit).collect();
        let mut results = Vec::with_capacity(waiters.len());
        for (group_id, waiter) in waiters {
            match self.answered(waiter).await {
                Ok(Answer::DeleteGroups(deleted)) => results.extend(deleted),
                other => results.push(describe::delete_result(&group_id, unexpected(other))),
            }
        }
        results
    }

    /// Waits for an answer that depends on the log only: at most `offsets.commit.timeout.ms`.
    fn answered(&self, waiter: Waiter) -> impl Future<Output = Reply> + use<> {
        let timeout = Duration::from_millis(self.shared.config.commit_timeout_ms);
        async move {
            let mut waiter = waiter;
            if let Ok(receiver) = &mut waiter
                && let Ok(reply) = receiver.try_recv()
            {
                // Nothing was written: most heartbeats and fetches need no timer.
                return reply;
            }
            match tokio::time::timeout(timeout, parked(waiter)).await {
                Ok(reply) => reply,
                Err(_) => Err(ErrorCode::CoordinatorNotAvailable),
            }
        }
    }
}

/// Waits for as long as it takes: for other members to join, for the leader's assignment.
async fn parked(waiter: Waiter) -> Reply {
    // The shard answers everyone, also when it ends.
    waiter?.await.unwrap_or(Err(ErrorCode::NotCoordinator))
}

/// The error of a reply that is not the answer asked for.
fn unexpected(reply: Reply) -> ErrorCode {
    match reply {
        Err(error) => error,
        Ok(_) => ErrorCode::UnknownServerError,
    }
}

fn join_error(member_id: StrBytes, error: ErrorCode) -> join_group::Response {
    join_group::Response { error_code: error.into(), member_id, ..Default::default() }
}

fn leave_error(error: ErrorCode) -> leave_group::Response {
    leave_group::Response { error_code: error.into(), ..Default::default() }
}
