//! What has become of the transactions while the cleaner walks over a log.
//!
//! The records of an aborted transaction go at once. A marker stays as long as any batch of its
//! transaction is left, and for `delete.retention.ms` after that, so that a consumer that has read
//! the beginning of a transaction also reads its end.

use std::collections::{BTreeMap, HashMap, HashSet};

use protocol_codec::records::BatchHeader;
use protocol_codec::records::control::ControlRecordType;

use crate::index::txn::AbortedTxn;

#[derive(Debug)]
struct Ongoing {
    transaction: AbortedTxn,
    /// A batch of it was met.
    seen: bool,
}

/// What is to be done about a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MarkerVerdict {
    /// Nothing of the transaction is left.
    pub(crate) may_go: bool,
    /// The transaction belongs into the index of the cleaned segment.
    pub(crate) aborted: Option<AbortedTxn>,
}

/// The transactions that are open at the place which the cleaner has reached.
#[derive(Debug, Default)]
pub(crate) struct CleanedTransactions {
    /// Not reached yet, by first offset and producer.
    ahead: BTreeMap<(i64, i64), AbortedTxn>,
    aborted: HashMap<i64, Ongoing>,
    committed: HashSet<i64>,
}

impl CleanedTransactions {
    /// Tells of aborted transactions that begin in the part of the log that comes next.
    pub(crate) fn add_aborted(&mut self, more: impl IntoIterator<Item = AbortedTxn>) {
        self.ahead.extend(more.into_iter().map(|txn| ((txn.first_offset, txn.producer_id), txn)));
    }

    /// A batch of data. Returns whether it belongs to an aborted transaction.
    pub(crate) fn on_batch(&mut self, header: &BatchHeader) -> bool {
        self.reach(header.last_offset());
        if !header.attributes.is_transactional() {
            return false;
        }
        if let Some(ongoing) = self.aborted.get_mut(&header.producer_id) {
            ongoing.seen = true;
            return true;
        }
        self.committed.insert(header.producer_id);
        false
    }

    /// A control batch; `None` for one without records, which an earlier cleaning has emptied.
    pub(crate) fn on_control(
        &mut self,
        header: &BatchHeader,
        kind: Option<ControlRecordType>,
    ) -> MarkerVerdict {
        self.reach(header.last_offset());
        let verdict = |may_go| MarkerVerdict { may_go, aborted: None };
        match kind {
            None => verdict(true),
            Some(ControlRecordType::Abort) => match self.aborted.remove(&header.producer_id) {
                Some(Ongoing { transaction, seen: true }) => {
                    MarkerVerdict { may_go: false, aborted: Some(transaction) }
                }
                _ => verdict(true),
            },
            Some(ControlRecordType::Commit) => verdict(!self.committed.remove(&header.producer_id)),
            Some(_) => verdict(false),
        }
    }

    /// Takes over the aborted transactions that have begun by `offset`.
    fn reach(&mut self, offset: i64) {
        while let Some((_, next)) = self.ahead.first_key_value().map(|(at, next)| (*at, *next)) {
            if next.first_offset > offset {
                break;
            }
            self.ahead.pop_first();
            let ongoing = Ongoing { transaction: next, seen: false };
            self.aborted.entry(next.producer_id).or_insert(ongoing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol_codec::records::{Batch, BatchBuilder};

    fn batch(producer_id: i64, offset: i64) -> BatchHeader {
        let mut builder =
            BatchBuilder::new().base_offset(offset).producer(producer_id, 0, 0).transactional(true);
        builder.append(0, Some(b"k"), None, &[]).unwrap();
        *Batch::read(&builder.build().unwrap()).unwrap().header()
    }

    fn aborted(producer_id: i64, first_offset: i64, last_offset: i64) -> AbortedTxn {
        AbortedTxn { first_offset, producer_id, last_offset, last_stable_offset: 0 }
    }

    fn marker(kind: ControlRecordType) -> Option<ControlRecordType> {
        Some(kind)
    }

    #[test]
    fn records_of_an_aborted_transaction_go_and_its_marker_waits_for_the_next_time() {
        let mut transactions = CleanedTransactions::default();
        transactions.add_aborted([aborted(1, 10, 12), aborted(2, 11, 20)]);
        assert!(!transactions.on_batch(&batch(1, 5)), "of an earlier transaction of producer 1");
        let early = transactions.on_control(&batch(1, 6), marker(ControlRecordType::Commit));
        assert_eq!(early, MarkerVerdict { may_go: false, aborted: None });
        assert!(transactions.on_batch(&batch(1, 10)));
        assert!(transactions.on_batch(&batch(2, 11)));
        let verdict = transactions.on_control(&batch(1, 12), marker(ControlRecordType::Abort));
        assert_eq!(verdict, MarkerVerdict { may_go: false, aborted: Some(aborted(1, 10, 12)) });
        assert!(!transactions.on_batch(&batch(1, 13)), "the next transaction of producer 1");
        assert!(transactions.on_batch(&batch(2, 14)));
    }

    #[test]
    fn a_marker_may_go_when_no_batch_of_its_transaction_is_left() {
        let mut transactions = CleanedTransactions::default();
        transactions.add_aborted([aborted(1, 10, 12)]);
        let gone = MarkerVerdict { may_go: true, aborted: None };
        for (offset, kind) in [(12, ControlRecordType::Abort), (13, ControlRecordType::Commit)] {
            assert_eq!(transactions.on_control(&batch(1, offset), marker(kind)), gone);
        }
        assert_eq!(transactions.on_control(&batch(1, 14), None), gone);
        let other = transactions.on_control(&batch(1, 15), marker(ControlRecordType::Unknown(9)));
        assert!(!other.may_go);
    }
}
