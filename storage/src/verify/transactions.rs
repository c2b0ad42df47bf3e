//! The transaction index against the markers in the log.
//!
//! A reader with `read_committed` leaves out what this index names, so a missing entry shows it
//! aborted records. Transactions that began before the log's start are known by their end only.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;

use protocol_codec::records::BatchHeader;

use super::report::{Remedy, Report};
use crate::fs::Fs;
use crate::inspect::rows::{Row, RowKind, Rows};

/// Transactions that are open at some place of the log, by producer.
#[derive(Debug, Default)]
pub(super) struct OpenTransactions {
    first_offsets: HashMap<i64, i64>,
    /// Producers of whom a marker was seen: what they write behind it is known from the first.
    ended: HashSet<i64>,
    /// Records before this offset may be missing: the log begins there, or was compacted. What is
    /// not known here may be open.
    missing_before: i64,
}

impl OpenTransactions {
    /// The log begins here.
    pub(super) fn begin_at(&mut self, offset: i64) {
        self.missing_before = self.missing_before.max(offset);
    }

    pub(super) fn note_gap(&mut self) {
        self.missing_before = i64::MAX;
    }

    /// Whether an entry may say `found` where the log shows `seen`.
    fn allow(found: i64, seen: Option<i64>, missing_before: i64) -> bool {
        Some(found) == seen || found < missing_before && seen.is_none_or(|seen| found <= seen)
    }

    /// Before which offset the beginning of a producer's transaction may be missing.
    fn missing_of(&self, producer_id: i64) -> i64 {
        let has_gaps = self.missing_before == i64::MAX;
        if self.ended.contains(&producer_id) && !has_gaps { 0 } else { self.missing_before }
    }

    /// Takes over a batch of records.
    pub(super) fn batch(&mut self, header: &BatchHeader) {
        if header.attributes.is_transactional() && !header.attributes.is_control() {
            self.first_offsets.entry(header.producer_id).or_insert(header.base_offset);
        }
    }
}

/// The `.txnindex` of one segment.
#[derive(Debug)]
pub(super) struct TxnCheck {
    path: PathBuf,
    rows: Option<Rows>,
    next: Option<(u64, Row)>,
    may_lag: bool,
    damage: Option<(Option<u64>, String)>,
}

impl TxnCheck {
    /// `may_lag`: the segment may be written to.
    pub(super) fn open(fs: &dyn Fs, path: PathBuf, base: i64, may_lag: bool) -> Self {
        let mut check = Self { path, rows: None, next: None, may_lag, damage: None };
        match Rows::open(fs, &check.path, RowKind::Txn, base) {
            Ok(rows) => {
                let excess = rows.excess();
                if excess > 0 && !may_lag {
                    let what = format!("{excess} bytes follow the last entry");
                    check.damage = Some((Some(rows.end() - excess), what));
                }
                check.rows = Some(rows);
                check.read_next();
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => check.damage = Some((None, format!("it cannot be read: {error}"))),
        }
        check
    }

    /// A transaction of this producer ends here. The offset is the marker's.
    pub(super) fn marker(
        &mut self,
        offset: i64,
        producer_id: i64,
        committed: bool,
        open: &mut OpenTransactions,
    ) {
        let first = open.first_offsets.remove(&producer_id);
        let missing_before = open.missing_of(producer_id);
        open.ended.insert(producer_id);
        if committed || self.damage.is_some() {
            return;
        }
        let entry = self.next.filter(
            |(_, row)| matches!(row, Row::Txn { last_offset, .. } if *last_offset == offset),
        );
        let Some((at, row)) = entry else {
            // Without records before it, an aborted transaction has no entry.
            if first.is_some() && !self.may_lag && missing_before == 0 {
                self.fail_here(format!("the transaction aborted at offset {offset} has no entry"));
            }
            return;
        };
        let stable = open.first_offsets.values().min().map_or(offset + 1, |other| *other);
        let is_first = |found| OpenTransactions::allow(found, first, missing_before);
        let is_stable = |found| OpenTransactions::allow(found, Some(stable), open.missing_before);
        match check(row, producer_id, is_first, is_stable) {
            Ok(()) => self.read_next(),
            Err(what) => self.damage = Some((Some(at), what)),
        }
    }

    /// The log has ended. Returns whether the index is fine, and reports if it is not.
    pub(super) fn finish(mut self, report: &mut Report) -> bool {
        if let Some((at, Row::Txn { last_offset, .. })) = self.next
            && self.damage.is_none()
            && !self.may_lag
        {
            let what = format!("its entry names offset {last_offset}, where nothing was aborted");
            self.damage = Some((Some(at), what));
        }
        let Some((position, what)) = self.damage else { return true };
        report.damage(&self.path, position, Remedy::DeleteIndexes, what);
        false
    }

    fn fail_here(&mut self, what: String) {
        self.damage = Some((self.next.map(|(at, _)| at), what));
    }

    fn read_next(&mut self) {
        let Some(rows) = &mut self.rows else { return };
        match rows.next_row() {
            Ok(next) => self.next = next,
            Err(error) => {
                self.next = None;
                self.damage = Some((None, format!("it cannot be read: {error}")));
            }
        }
    }
}

/// `is_first`, `is_stable`: whether the log allows these offsets.
fn check(
    row: Row,
    marker_of: i64,
    is_first: impl Fn(i64) -> bool,
    is_stable: impl Fn(i64) -> bool,
) -> Result<(), String> {
    let Row::Txn { version, producer_id, first_offset, last_offset, last_stable_offset } = row
    else {
        return Ok(());
    };
    if version != 0 {
        return Err(format!("its entry is of version {version}"));
    }
    if producer_id != marker_of {
        return Err(format!("its entry is of producer {producer_id}, the marker of {marker_of}"));
    }
    if first_offset > last_offset || !is_first(first_offset) {
        return Err(format!("its entry begins at offset {first_offset}"));
    }
    if last_stable_offset > last_offset + 1 || !is_stable(last_stable_offset) {
        return Err(format!("its entry has the last stable offset {last_stable_offset}"));
    }
    Ok(())
}
