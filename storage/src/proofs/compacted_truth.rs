//! What compaction may take from a log, and what not: a comparison of what is shown with what was
//! once written. Nothing here knows how a cleaner works.
//!
//! | rule | |
//! |---|---|
//! | [`Past::is_remnant`] | a batch that is shown has some of its records, all as they were written |
//! | [`Past::may_be_gone`] | a record is gone only if its transaction was aborted, if a newer one of its key was cleaned with it, or, a tombstone, past its time |
//! | [`Past::shows_last_values`] | no key has an older value than its newest one |
//! | [`Past::keeps_producers`] | of every producer the last batch is there, with or without records |
//! | [`Past::is_clean`] | after a cleaning that went well: one record a key, none aborted, no tombstone past its time |

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use protocol_codec::records::{BatchHeader, split_batches};

use super::truth::{Batch, TRANSACTIONAL_PRODUCER};

/// A batch as it lies in a log.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) header: BatchHeader,
    pub(super) records: Vec<Record>,
    pub(super) bytes: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

impl Record {
    pub(super) fn key(&self) -> &[u8] {
        self.key.as_deref().unwrap_or_default()
    }
}

/// All batches of these bytes, their checksums compared.
pub(super) fn parse(bytes: Bytes) -> Result<Vec<Shown>, String> {
    let parse_one = |batch: protocol_codec::records::Batch| {
        let (view, header) = (batch.view(), *batch.header());
        view.verify_checksum().map_err(|error| error.to_string())?;
        let records = view.plain_records(1 << 20).map_err(|error| error.to_string())?;
        let records = records.iter().map(|record| {
            let record = record.map_err(|error| error.to_string())?;
            Ok(Record {
                offset: header.offset_of(record.offset_delta),
                timestamp: header.timestamp_of(record.timestamp_delta),
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
            })
        });
        let records = records.collect::<Result<_, String>>()?;
        Ok(Shown { header, records, bytes: batch.bytes().clone() })
    };
    split_batches(bytes).map(|batch| parse_one(batch.map_err(|error| error.to_string())?)).collect()
}

/// The part of a log that was ever given to a cleaner, as it was written.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    written: BTreeMap<i64, Given>,
    /// Nothing from here on was ever given to a cleaner.
    bound: i64,
    /// Where the log ended when a cleaner saw it last.
    known: i64,
    /// A cleaning may not have ended: any part of it may be done.
    pub(super) is_unfinished: bool,
}

/// A batch that was given to a cleaner.
#[derive(Clone, Debug)]
struct Given {
    batch: Batch,
    shown: Shown,
    /// For the first time.
    at_ms: i64,
    /// And again after its tombstones' time had passed.
    again_late: bool,
    /// And when its producer had written another one.
    overtaken: bool,
    fate: Fate,
}

/// What became of the transaction of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It was committed, or there was none.
    Committed,
    Aborted,
    Open,
}

/// Aborted transactions, the first and the last offset of each, and where an open one begins.
pub(super) type Transactions = (Vec<(i64, i64)>, Option<i64>);

fn fate(batch: &Batch, (aborted, open): &Transactions) -> Fate {
    if batch.producer() != Some(TRANSACTIONAL_PRODUCER) {
        Fate::Committed
    } else if open.is_some_and(|first| batch.base >= first) {
        Fate::Open
    } else if aborted.iter().any(|(first, last)| (*first..*last).contains(&batch.base)) {
        Fate::Aborted
    } else {
        Fate::Committed
    }
}

impl Given {
    /// Whether readers of what was committed get its records.
    fn is_live(&self) -> bool {
        self.fate == Fate::Committed && !self.batch.is_marker()
    }
}

impl Past {
    pub(super) fn bound(&self) -> i64 {
        self.bound
    }

    /// A cleaner has gone by what lies before this.
    pub(super) fn known(&self) -> i64 {
        self.known
    }

    /// What was given to a cleaner, as it was written.
    pub(super) fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.written.values().map(|given| &given.batch)
    }

    /// A cleaner is given the part before `bound` of the log that now has `batches`.
    pub(super) fn give(
        &mut self,
        batches: &[Batch],
        bound: i64,
        now_ms: i64,
        delete_retention_ms: i64,
    ) {
        for batch in batches.iter().filter(|batch| (self.bound..bound).contains(&batch.base)) {
            let shown = parse(batch.bytes.clone()).unwrap().remove(0);
            let (batch, at_ms, fate) = (batch.clone(), now_ms, Fate::Committed);
            let given = Given { batch, shown, at_ms, again_late: false, overtaken: false, fate };
            self.written.insert(given.batch.base, given);
        }
        self.bound = self.bound.max(bound);
        self.known = batches.last().map_or(0, Batch::end).max(self.bound);
        let last: HashMap<i64, i64> = last_of_producers(batches.iter());
        for given in self.written.values_mut().filter(|given| given.batch.base < bound) {
            given.again_late |= given.at_ms + delete_retention_ms <= now_ms;
            let last = given.batch.producer().and_then(|producer| last.get(&producer));
            given.overtaken |= last.is_some_and(|last| *last > given.batch.base);
        }
        self.is_unfinished = true;
    }

    /// The log was cut off at `end`.
    pub(super) fn cut(&mut self, end: i64) {
        assert!(end >= self.bound, "what was cleaned is lost from {end} on");
    }

    /// The log begins anew behind all of this.
    pub(super) fn forget(&mut self) {
        self.written.clear();
    }

    /// These transactions are in the log now.
    pub(super) fn decide(&mut self, transactions: &Transactions) {
        for given in self.written.values_mut() {
            given.fate = fate(&given.batch, transactions);
        }
    }

    /// Whether a log that begins at `start` may show this before [`Past::bound`]. What lies before
    /// `start` may be there or not.
    pub(super) fn judge(
        &self,
        shown: &[Shown],
        start: i64,
        delete_retention_ms: i64,
    ) -> Result<(), String> {
        if !shown.is_sorted_by(|a, b| a.header.last_offset() < b.header.base_offset) {
            return Err("offsets do not ascend".to_owned());
        }
        for batch in shown {
            self.is_remnant(batch, delete_retention_ms)?;
        }
        self.may_be_gone(shown, start)?;
        self.shows_last_values(shown, start)?;
        self.keeps_producers(shown, start)
    }

    fn is_remnant(&self, shown: &Shown, delete_retention_ms: i64) -> Result<(), String> {
        let header = &shown.header;
        let at = header.base_offset;
        let given = self.written.get(&at).ok_or_else(|| format!("no batch began at {at}"))?;
        if !is_same_but_for_records(header, &given.shown.header) {
            return Err(format!("{header:?} is not {:?}", given.shown.header));
        }
        let mut rest = given.shown.records.iter();
        // All in this order, with others between them.
        if !shown.records.iter().all(|record| rest.any(|written| written == record)) {
            return Err(format!("{:?} are not of {:?}", shown.records, given.shown.records));
        }
        let latest = shown.records.iter().map(|record| record.timestamp).max();
        // One without records has the time of those that went last.
        let mut times = given.shown.records.iter().map(|record| record.timestamp);
        if latest.is_some_and(|latest| latest != header.max_timestamp)
            || !times.any(|time| time == header.max_timestamp)
        {
            return Err(format!("the batch at {at} has another latest time"));
        }
        let is_early = header.attributes.has_delete_horizon()
            && header.base_timestamp < given.at_ms + delete_retention_ms;
        if is_early { Err(format!("tombstones at {at} are to go too early")) } else { Ok(()) }
    }

    fn may_be_gone(&self, shown: &[Shown], start: i64) -> Result<(), String> {
        let there: HashSet<i64> = records(shown).map(|record| record.offset).collect();
        let newest = self.newest();
        for given in self.written.values() {
            let gone = given.shown.records.iter();
            let gone =
                gone.filter(|record| record.offset >= start && !there.contains(&record.offset));
            for record in gone {
                let may_go = if given.batch.is_marker() {
                    given.again_late && !self.shows_transaction(shown, given.batch.base)
                } else {
                    let is_old = newest.get(&record.key).is_some_and(|last| *last > record.offset);
                    given.fate == Fate::Aborted
                        || is_old
                        || record.value.is_none() && given.again_late
                };
                if !may_go {
                    return Err(format!("{record:?} is gone"));
                }
            }
        }
        Ok(())
    }

    /// Whether a batch is there of the transaction that this marker ends.
    fn shows_transaction(&self, shown: &[Shown], marker: i64) -> bool {
        let before = self.written.range(..marker).rev();
        let mut transaction = before.take_while(|(_, given)| !given.batch.is_marker());
        transaction.any(|(base, given)| {
            let is_data = given.batch.producer() == Some(TRANSACTIONAL_PRODUCER);
            is_data && shown.iter().any(|batch| batch.header.base_offset == *base)
        })
    }

    fn shows_last_values(&self, shown: &[Shown], start: i64) -> Result<(), String> {
        let newest = self.newest();
        let mut last = HashMap::new();
        for record in self.live(shown).filter(|record| record.offset >= start) {
            last.insert(&record.key, record.offset);
        }
        for (key, offset) in last {
            if newest.get(key) != Some(&offset) {
                return Err(format!("{key:?} has its value of {offset}, a newer one is gone"));
            }
        }
        Ok(())
    }

    fn keeps_producers(&self, shown: &[Shown], start: i64) -> Result<(), String> {
        let there: HashSet<i64> = shown.iter().map(|batch| batch.header.base_offset).collect();
        let needed = self.written.iter().filter(|(base, given)| {
            **base >= start && !given.overtaken && given.batch.producer().is_some()
        });
        match needed.map(|(base, _)| base).find(|base| !there.contains(base)) {
            Some(base) => Err(format!("the batch at {base} is gone, the last of its producer")),
            None => Ok(()),
        }
    }

    /// Whether what lies before `end` has been cleaned at `now_ms`, thoroughly.
    pub(super) fn is_clean(&self, shown: &[Shown], end: i64, now_ms: i64) -> Result<(), String> {
        let mut keys = HashSet::new();
        for record in self.live(shown).filter(|record| record.offset < end) {
            if !keys.insert(&record.key) {
                return Err(format!("{:?} was written before", record.key));
            }
        }
        for batch in shown {
            let is_aborted = self
                .written
                .get(&batch.header.base_offset)
                .is_some_and(|given| given.fate == Fate::Aborted);
            let is_late = batch.header.attributes.has_delete_horizon()
                && batch.header.base_timestamp <= now_ms
                && !batch.header.attributes.is_control();
            let is_due = |record: &&Record| is_aborted || is_late && record.value.is_none();
            if let Some(record) = batch.records.iter().filter(is_due).find(|r| r.offset < end) {
                return Err(format!("{record:?} should be gone"));
            }
        }
        Ok(())
    }

    /// Where each key was written last, and not aborted.
    fn newest(&self) -> HashMap<&Option<Vec<u8>>, i64> {
        let given = self.written.values();
        let batches = given.filter(|given| given.is_live());
        let records = batches.flat_map(|given| &given.shown.records);
        records.map(|record| (&record.key, record.offset)).collect()
    }

    /// Records that are shown to readers of what was committed.
    fn live<'a>(&self, shown: &'a [Shown]) -> impl Iterator<Item = &'a Record> {
        let is_live = |batch: &&Shown| {
            let given = self.written.get(&batch.header.base_offset);
            given.is_some_and(Given::is_live)
        };
        shown.iter().filter(is_live).flat_map(|batch| &batch.records)
    }
}

fn records(shown: &[Shown]) -> impl Iterator<Item = &Record> {
    shown.iter().flat_map(|batch| &batch.records)
}

/// The base offset of the last batch of each producer.
fn last_of_producers<'a>(batches: impl Iterator<Item = &'a Batch>) -> HashMap<i64, i64> {
    batches.filter_map(|batch| Some((batch.producer()?, batch.base))).collect()
}

fn is_same_but_for_records(a: &BatchHeader, b: &BatchHeader) -> bool {
    let without = |header: &BatchHeader| BatchHeader {
        attributes: header.attributes.with_delete_horizon(false),
        batch_length: 0,
        crc: 0,
        base_timestamp: 0,
        max_timestamp: 0,
        records_count: 0,
        ..*header
    };
    without(a) == without(b)
}
