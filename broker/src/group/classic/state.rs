//! The states of a classic group and what may follow what.

use std::fmt;

/// Names are on the wire (ListGroups, DescribeGroups) and in every monitoring tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupState {
    /// No members. Offsets may be there.
    Empty,
    /// Members are (re)joining; heartbeats are told so.
    PreparingRebalance,
    /// All have joined a new generation; the leader's assignment is awaited.
    CompletingRebalance,
    /// Every member has its assignment.
    Stable,
    /// What a group that is not there is described as. No group that is held is in this state.
    Dead,
}

impl GroupState {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
            GroupState::Dead => "Dead",
        }
    }

    /// Whether a rebalance may start now; during one, joining completes it instead.
    pub(super) fn can_rebalance(self) -> bool {
        self.may_become(GroupState::PreparingRebalance)
    }

    pub(super) fn may_become(self, next: GroupState) -> bool {
        use GroupState::{CompletingRebalance, Dead, Empty, PreparingRebalance, Stable};
        match next {
            Empty | CompletingRebalance => self == PreparingRebalance,
            PreparingRebalance => matches!(self, Empty | CompletingRebalance | Stable),
            // A static member that comes back under a new id leaves the group stable.
            Stable => matches!(self, CompletingRebalance | Stable),
            Dead => true,
        }
    }
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
