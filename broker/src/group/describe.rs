//! DescribeGroups, ListGroups and DeleteGroups: the administrator's view.

use protocol_codec::messages::delete_groups::DeletableGroupResult;
use protocol_codec::messages::describe_groups::DescribedGroup;
use protocol_codec::messages::list_groups::{ListedGroup, Request as ListRequest};
use protocol_codec::{ErrorCode, StrBytes};

use super::classic::group::ClassicGroup;
use super::classic::state::GroupState;

/// The type of all groups of this protocol, as ListGroups names it.
pub(super) const CLASSIC_GROUP_TYPE: &str = "classic";

/// First version that tells an unknown group by an error (KIP-1043).
const VERSION_GROUP_ID_NOT_FOUND: i16 = 6;

/// An unknown group is `Dead`; since version 6 it is an error as well.
pub(super) fn describe(
    group: Option<&ClassicGroup>,
    group_id: &StrBytes,
    version: i16,
) -> DescribedGroup {
    let Some(group) = group else { return describe_unknown(group_id, version) };
    // Metadata and protocol are those of the generation: without one there are none to show.
    let protocol = group.protocol.clone().filter(|_| group.is_in(GroupState::Stable));
    DescribedGroup {
        group_id: group_id.clone(),
        group_state: StrBytes::from_static(group.state.name()),
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        protocol_data: protocol.clone().unwrap_or_default(),
        members: group.members.values().map(|m| m.describe(protocol.as_deref())).collect(),
        ..Default::default()
    }
}

fn describe_unknown(group_id: &StrBytes, version: i16) -> DescribedGroup {
    let mut described = DescribedGroup {
        group_id: group_id.clone(),
        group_state: StrBytes::from_static(GroupState::Dead.name()),
        ..Default::default()
    };
    if version >= VERSION_GROUP_ID_NOT_FOUND {
        described.error_code = ErrorCode::GroupIdNotFound.into();
        described.error_message = Some(StrBytes::from(format!("Group {group_id} not found.")));
    }
    described
}

/// Filters are case-insensitive; an empty one lets everything through.
pub(super) fn list<'g>(
    groups: impl Iterator<Item = &'g ClassicGroup>,
    request: &ListRequest,
) -> Vec<ListedGroup> {
    let is_state_asked = |state: GroupState| {
        let mut filter = request.states_filter.iter();
        request.states_filter.is_empty()
            || filter.any(|wanted| wanted.trim().eq_ignore_ascii_case(state.name()))
    };
    let mut types = request.types_filter.iter();
    let is_type_asked = request.types_filter.is_empty()
        || types.any(|wanted| wanted.eq_ignore_ascii_case(CLASSIC_GROUP_TYPE));
    let listed = groups.filter(|group| is_type_asked && is_state_asked(group.state));
    listed
        .map(|group| ListedGroup {
            group_id: group.id.clone(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            group_state: StrBytes::from_static(group.state.name()),
            group_type: StrBytes::from_static(CLASSIC_GROUP_TYPE),
        })
        .collect()
}

/// Whether a group may be deleted: it must be there and have no members.
pub(super) fn may_delete(group: Option<&ClassicGroup>) -> ErrorCode {
    match group {
        None => ErrorCode::GroupIdNotFound,
        Some(group) if !group.is_in(GroupState::Empty) => ErrorCode::NonEmptyGroup,
        Some(_) => ErrorCode::None,
    }
}

pub(super) fn delete_result(group_id: &StrBytes, error: ErrorCode) -> DeletableGroupResult {
    DeletableGroupResult {
        group_id: group_id.clone(),
        error_code: error.into(),
        ..Default::default()
    }
}
