//! A second machine that sees nothing but the records, to compare the first one with.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol_codec::StrBytes;

use crate::group::GroupConfig;
use crate::group::classic::state::GroupState;
use crate::group::event::{Now, Outcome};
use crate::group::machine::Machine;
use crate::group::record::Record;

pub(super) struct Replica {
    machine: Machine,
    records: Vec<Record>,
    /// Those with a record of their own: of others only the offsets are on disk.
    written_groups: BTreeSet<StrBytes>,
}

impl Replica {
    pub(super) fn new() -> Self {
        let machine = Machine::new(Arc::new(GroupConfig::default()));
        Self { machine, records: Vec::new(), written_groups: BTreeSet::new() }
    }

    /// Follows an outcome of `live`, and holds `live` to it: what is on disk is what replaying
    /// says, and a group that is at rest has nothing to say beyond it.
    pub(super) fn follow(&mut self, live: &Machine, outcome: &Outcome) {
        for record in &outcome.records {
            let (key, value) = record.encode().unwrap();
            let decoded = Record::decode(key, value).unwrap().unwrap();
            self.machine.replay(&decoded);
            if let Record::Group { key, value } = &decoded {
                match value {
                    Some(_) => self.written_groups.insert(key.group.clone()),
                    None => self.written_groups.remove(&key.group),
                };
            }
            self.records.push(decoded);
        }
        assert_eq!(live.offsets, self.machine.offsets);
        for (group_id, replayed) in &self.machine.groups {
            let live_group = &live.groups[group_id];
            let is_at_rest = matches!(live_group.state, GroupState::Stable | GroupState::Empty);
            if is_at_rest && self.written_groups.contains(group_id) {
                // The record of a group is all that a restart knows of it.
                let record = |group: &crate::group::classic::group::ClassicGroup| {
                    group.to_record(|member| member.assignment.clone())
                };
                assert_eq!(live_group.state, replayed.state);
                assert_eq!(record(live_group), record(replayed));
                assert_eq!(live_group.subscribed_topics, replayed.subscribed_topics);
                assert_eq!(live_group.static_members, replayed.static_members);
            }
        }
        for (group_id, group) in &live.groups {
            let on_disk = self.machine.groups.contains_key(group_id);
            assert_eq!(on_disk, group.persisted);
        }
    }

    /// The machine after a restart: the log replayed from its start.
    pub(super) fn restart(&self, config: Arc<GroupConfig>, now: Now) -> (Machine, Outcome) {
        let mut machine = Machine::new(config);
        for record in &self.records {
            machine.replay(record);
        }
        let outcome = machine.on_loaded(now);
        (machine, outcome)
    }
}
