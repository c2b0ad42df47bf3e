//! The classic group protocol (JoinGroup, SyncGroup, Heartbeat, LeaveGroup).
//!
//! [`group::ClassicGroup`] holds one group and answers questions about it; each operation has its
//! own file with free functions over `(Context, ClassicGroup)`:
//!
//! - [`join`]: who becomes a member, and when
//! - [`rebalance`]: from the first joining member to the new generation
//! - [`sync`]: the leader's assignment, written and handed out
//! - [`heartbeat`], [`leave`], [`session`]: staying, going, being given up on
//! - [`static_members`]: coming back under the same `group.instance.id`
//!
//! What a record does not hold (who is joining, what waits) is changed by the operations
//! themselves; what it does hold is changed by its replay, see [`group::ClassicGroup::replay`].

pub(super) mod group;
pub(super) mod heartbeat;
pub(super) mod join;
pub(super) mod leave;
pub(super) mod member;
pub(super) mod rebalance;
pub(super) mod session;
pub(super) mod state;
pub(super) mod static_members;
pub(super) mod sync;
