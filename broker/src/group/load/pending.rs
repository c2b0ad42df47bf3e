//! Offsets that were committed in transactions: they count when their transaction is committed,
//! and only where no later commit of the same partition came before that.

use std::collections::HashMap;

use protocol_codec::coordinator_records::consumer_offsets::OffsetCommitKey;

use crate::group::record::Record;

/// The offsets of transactions that have not ended yet.
#[derive(Debug, Default)]
pub(super) struct PendingOffsets {
    /// By producer: records with their offsets in the log.
    by_producer: HashMap<i64, Vec<(i64, Record)>>,
    /// Where the newest commit that counts stands, kept while any transaction is open.
    newest: HashMap<(String, String, i32), i64>,
}

impl PendingOffsets {
    /// Takes the next record of the log; gives it back if it counts at once. `producer_id` is that
    /// of a transaction.
    pub(super) fn add(
        &mut self,
        producer_id: Option<i64>,
        offset: i64,
        record: Record,
    ) -> Option<Record> {
        match (producer_id, &record) {
            (Some(producer_id), Record::Offset { .. }) => {
                self.by_producer.entry(producer_id).or_default().push((offset, record));
                None
            }
            (_, Record::Offset { key, .. }) if !self.by_producer.is_empty() => {
                self.newest.insert(place(key), offset);
                Some(record)
            }
            _ => Some(record),
        }
    }

    /// The records that count now that the producer's transaction has ended.
    pub(super) fn end(&mut self, producer_id: i64, committed: bool) -> Vec<Record> {
        let ended = self.by_producer.remove(&producer_id).unwrap_or_default();
        let mut counting = Vec::new();
        for (offset, record) in ended.into_iter().filter(|_| committed) {
            let Record::Offset { key, .. } = &record else { continue };
            let newest = self.newest.entry(place(key)).or_insert(offset);
            if *newest <= offset {
                *newest = offset;
                counting.push(record);
            }
        }
        if self.by_producer.is_empty() {
            self.newest.clear();
        }
        counting
    }

    /// How many transactions have not ended.
    pub(super) fn open_transactions(&self) -> usize {
        self.by_producer.len()
    }
}

fn place(key: &OffsetCommitKey) -> (String, String, i32) {
    (key.group.to_string(), key.topic.to_string(), key.partition)
}

#[cfg(test)]
mod tests {
    use protocol_codec::coordinator_records::consumer_offsets::OffsetCommitValue;

    use super::*;

    fn commit(partition: i32, offset: i64) -> Record {
        let value = OffsetCommitValue { offset, ..OffsetCommitValue::default() };
        Record::offset(&"g".into(), &"t".into(), partition, Some(value))
    }

    #[test]
    fn a_commit_counts_when_its_transaction_is_committed() {
        let mut pending = PendingOffsets::default();
        assert_eq!(pending.add(Some(7), 0, commit(0, 10)), None);
        assert_eq!(pending.add(Some(8), 1, commit(1, 11)), None);
        assert_eq!(pending.open_transactions(), 2);
        assert_eq!(pending.end(8, false), []);
        assert_eq!(pending.end(7, true), [commit(0, 10)]);
        assert_eq!(pending.end(7, true), []);
        assert_eq!(pending.open_transactions(), 0);
    }

    /// As Kafka does it: the place in the log decides, not the time at which the commit came true.
    #[test]
    fn a_later_commit_is_not_undone_by_an_earlier_one() {
        let mut pending = PendingOffsets::default();
        assert_eq!(pending.add(Some(7), 0, commit(0, 10)), None);
        assert_eq!(pending.add(Some(8), 1, commit(1, 11)), None);
        assert_eq!(pending.add(Some(9), 2, commit(1, 12)), None);
        assert_eq!(pending.add(None, 3, commit(0, 20)), Some(commit(0, 20)));
        assert_eq!(pending.end(7, true), []);
        assert_eq!(pending.end(9, true), [commit(1, 12)]);
        assert_eq!(pending.end(8, true), []);
        assert!(pending.newest.is_empty());
    }

    #[test]
    fn groups_are_never_pending() {
        let mut pending = PendingOffsets::default();
        let group = Record::group(&"g".into(), None);
        assert_eq!(pending.add(None, 0, group.clone()), Some(group));
    }
}
