//! Offset index and time index against the batches of their segment.
//!
//! Both are walked beside the log, one entry and one batch at a time. Only the first damage of a
//! file is reported: the remedy is for the whole of it.

use std::io;
use std::path::PathBuf;

use protocol_codec::records::BatchHeader;

use super::report::{Remedy, Report};
use crate::fs::Fs;
use crate::inspect::rows::{Row, RowKind, Rows};

/// How an index of a segment may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    /// The segment may be written to, or be about to be sealed: it may have no index file, or one
    /// with room at its end.
    pub(super) is_unsealed: bool,
    /// Entries may point behind the end: the log was not stopped cleanly, or grows.
    pub(super) may_be_ahead: bool,
}

/// One index file on its way to being checked.
#[derive(Debug)]
pub(super) struct IndexCheck {
    path: PathBuf,
    rows: Option<Rows>,
    tolerance: Tolerance,
    next: Option<(u64, Row)>,
    rule: Rule,
    damage: Option<(Option<u64>, String)>,
}

/// What its entries have to fulfil.
#[derive(Debug)]
enum Rule {
    Offsets {
        last: Option<(i64, u32)>,
        /// An entry that stands for several batches which were appended at once, as older Kafkas
        /// wrote them: where the last one ends.
        pending: Option<(u64, i64)>,
    },
    Times {
        last: Option<(i64, i64)>,
        max_timestamp: i64,
    },
}

impl IndexCheck {
    pub(super) fn offsets(fs: &dyn Fs, path: PathBuf, base: i64, tolerance: Tolerance) -> Self {
        let rule = Rule::Offsets { last: None, pending: None };
        Self::open(fs, path, RowKind::Offset, base, tolerance, rule)
    }

    pub(super) fn times(fs: &dyn Fs, path: PathBuf, base: i64, tolerance: Tolerance) -> Self {
        let rule = Rule::Times { last: None, max_timestamp: -1 };
        Self::open(fs, path, RowKind::Time, base, tolerance, rule)
    }

    fn open(
        fs: &dyn Fs,
        path: PathBuf,
        kind: RowKind,
        base: i64,
        tolerance: Tolerance,
        rule: Rule,
    ) -> Self {
        let mut check = Self { path, rows: None, tolerance, next: None, rule, damage: None };
        match Rows::open(fs, &check.path, kind, base) {
            Ok(rows) => {
                let excess = rows.excess();
                if excess > 0 && !tolerance.is_unsealed {
                    let bytes = kind.bytes();
                    let what = format!("{excess} bytes follow the last entry of {bytes}");
                    check.damage = Some((Some(rows.end() - excess), what));
                }
                check.rows = Some(rows);
                check.read_next();
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !tolerance.is_unsealed {
                    check.damage = Some((None, "it is missing".to_owned()));
                }
            }
            Err(error) => check.damage = Some((None, format!("it cannot be read: {error}"))),
        }
        check
    }

    /// Shows the next batch.
    pub(super) fn batch(&mut self, position: u64, header: &BatchHeader) {
        if let Rule::Times { max_timestamp, .. } = &mut self.rule {
            *max_timestamp = header.max_timestamp.max(*max_timestamp);
        }
        if let Err((at, what)) = self.settle_pending(header) {
            self.fail(at, what);
        }
        while let Some((at, row)) = self.next.filter(|_| self.damage.is_none()) {
            if !is_due(row, position, header) {
                return;
            }
            if self.is_padding(at, row) {
                self.next = None;
                return;
            }
            match self.rule.check(at, row, position, header) {
                Ok(()) => self.read_next(),
                Err(what) => self.fail(at, what),
            }
        }
    }

    fn settle_pending(&mut self, header: &BatchHeader) -> Result<(), (u64, String)> {
        let Rule::Offsets { pending, .. } = &mut self.rule else { return Ok(()) };
        match *pending {
            Some((_, offset)) if header.last_offset() < offset => Ok(()),
            Some((_, offset)) if header.last_offset() == offset => {
                *pending = None;
                Ok(())
            }
            Some((at, offset)) => {
                *pending = None;
                Err((at, format!("its entry says that a batch ends with offset {offset}")))
            }
            None => Ok(()),
        }
    }

    /// The log has ended. Returns whether the index is fine, and reports if it is not.
    pub(super) fn finish(mut self, report: &mut Report) -> bool {
        if let Rule::Offsets { pending: Some((at, offset)), .. } = self.rule
            && !self.tolerance.may_be_ahead
        {
            self.fail(at, format!("its entry says that a batch ends with offset {offset}"));
        }
        if let Some((at, row)) = self.next
            && !(self.tolerance.may_be_ahead && self.tolerance.is_unsealed)
            && !self.is_padding(at, row)
        {
            self.fail(at, "its entry points behind the end of the segment".to_owned());
        }
        let Some((position, what)) = self.damage else { return true };
        report.damage(&self.path, position, Remedy::DeleteIndex, what);
        false
    }

    fn fail(&mut self, at: u64, what: String) {
        if self.damage.is_none() {
            self.damage = Some((Some(at), what));
        }
        self.next = None;
    }

    fn read_next(&mut self) {
        let Some(rows) = &mut self.rows else { return };
        match rows.next_row() {
            Ok(next) => self.next = next,
            Err(error) => {
                self.next = None;
                self.damage =
                    self.damage.take().or(Some((None, format!("cannot be read: {error}"))));
            }
        }
    }

    /// Whether the rest of the file is room for more entries.
    fn is_padding(&mut self, at: u64, row: Row) -> bool {
        let looks_so =
            matches!(row, Row::Offset { position: 0, .. } | Row::Time { timestamp: 0, .. });
        let rows = self.rows.as_mut().filter(|_| looks_so && self.tolerance.is_unsealed);
        rows.is_some_and(|rows| rows.is_padding_from(at).unwrap_or(false))
    }
}

/// Whether an entry has to be looked at before the batch behind this one comes.
fn is_due(row: Row, position: u64, header: &BatchHeader) -> bool {
    match row {
        Row::Offset { position: at, .. } => u64::from(at) <= position,
        Row::Time { offset, .. } => offset <= header.last_offset(),
        Row::Txn { .. } => false,
    }
}

impl Rule {
    fn check(
        &mut self,
        at: u64,
        row: Row,
        batch_position: u64,
        header: &BatchHeader,
    ) -> Result<(), String> {
        match (self, row) {
            (Self::Offsets { last, pending }, Row::Offset { offset, position }) => {
                if last.is_some_and(|(o, p)| offset <= o || position <= p) {
                    return Err(format!(
                        "its entries do not rise: offset {offset}, position {position}"
                    ));
                }
                *last = Some((offset, position));
                if u64::from(position) != batch_position {
                    return Err(format!("its entry points to {position}, where no batch begins"));
                }
                if offset > header.last_offset() {
                    *pending = Some((at, offset));
                } else if offset < header.last_offset() {
                    let end = header.last_offset();
                    return Err(format!(
                        "its entry has offset {offset}, the batch ends with {end}"
                    ));
                }
            }
            (Self::Times { last, max_timestamp }, Row::Time { timestamp, offset }) => {
                if last.is_some_and(|(t, o)| timestamp <= t || offset < o) {
                    return Err(format!(
                        "its entries do not rise: time {timestamp}, offset {offset}"
                    ));
                }
                *last = Some((timestamp, offset));
                if offset < header.base_offset {
                    return Err(format!("its entry has offset {offset}, which no batch holds"));
                }
                if timestamp != *max_timestamp || timestamp != header.max_timestamp {
                    return Err(format!(
                        "its entry has time {timestamp} at offset {offset}, the largest up to there is {max_timestamp}"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
