//! A look at the groups for metrics: as they are in memory, durable or not.

use super::classic::group::ClassicGroup;
use super::classic::state::GroupState;
use super::offsets::GroupOffsets;

/// The states that a group can be in, by the names that clients see.
pub const STATES: [&str; 4] = [
    GroupState::Empty.name(),
    GroupState::PreparingRebalance.name(),
    GroupState::CompletingRebalance.name(),
    GroupState::Stable.name(),
];

/// One group. It is seen under its shard's lock: look quickly.
#[derive(Debug)]
pub struct GroupView<'a> {
    group: &'a ClassicGroup,
    offsets: Option<&'a GroupOffsets>,
}

impl<'a> GroupView<'a> {
    pub(super) fn new(group: &'a ClassicGroup, offsets: Option<&'a GroupOffsets>) -> Self {
        Self { group, offsets }
    }

    pub fn id(&self) -> &str {
        &self.group.id
    }

    /// One of [`STATES`].
    pub fn state(&self) -> &'static str {
        self.group.state.name()
    }

    pub fn member_count(&self) -> usize {
        self.group.members.len()
    }

    /// Topics with their partitions and committed offsets.
    pub fn committed(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = (i32, i64)>)> {
        self.offsets.into_iter().flatten().map(|(topic, partitions)| {
            let offsets = partitions.iter().map(|(index, committed)| (*index, committed.offset));
            (&**topic, offsets)
        })
    }
}
