//! One segment: its batches front to back, and everything that must agree with them.

use std::io;
use std::path::Path;

use protocol_codec::records::BatchView;
use protocol_codec::records::control::EndTransactionMarker;

use super::indexes::{IndexCheck, Tolerance};
use super::report::{Damage, Remedy, Report};
use super::transactions::{OpenTransactions, TxnCheck};
use super::{Meter, PartitionFacts};
use crate::fs::Fs;
use crate::inspect::batches::{BatchReadError, BatchReader, FoundBatch};
use crate::leader_epoch_cache::{LEADER_EPOCH_CHECKPOINT, LeaderEpochCache};
use crate::sealed_sums::{SealedSums, sum_file};
use crate::segment::files::{
    LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, path,
};
use crate::segment::relative;

/// More than any batch that a broker lets in decompresses to.
const RECORDS_BYTES_MAX: usize = 1 << 30;
/// The progress is told about as often as this many bytes go by.
const METER_BYTES: u64 = 1 << 20;

/// A log that is walked from its first segment to its last.
pub(super) struct LogWalk<'a, 'm> {
    pub(super) fs: &'a dyn Fs,
    pub(super) dir: &'a Path,
    pub(super) facts: PartitionFacts,
    pub(super) sums: &'a SealedSums,
    pub(super) epochs: &'a LeaderEpochCache,
    pub(super) meter: &'a mut Meter<'m>,
    pub(super) report: Report,
    /// The offset that is due; none before the first segment and behind damage.
    pub(super) next_offset: Option<i64>,
    pub(super) latest_epoch: i32,
    pub(super) open: OpenTransactions,
    pub(super) epochs_blamed: bool,
}

/// One segment of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentPlace {
    pub(super) base: i64,
    /// Base offset of the segment behind it; none for the last.
    pub(super) next_base: Option<i64>,
}

/// What is compared while the batches go by.
struct Checks {
    offsets: IndexCheck,
    times: IndexCheck,
    txns: TxnCheck,
    /// Offsets that are missing without a reason: where, and which.
    gap: Option<(u64, String)>,
    /// A batch whose epoch is not that of `leader-epoch-checkpoint`.
    epoch: Option<(u64, String)>,
}

/// Why the walk over a segment ended early.
struct Stop {
    position: u64,
    what: String,
    is_torn: bool,
}

impl LogWalk<'_, '_> {
    pub(super) fn segment(&mut self, place: SegmentPlace) {
        let file = path(self.dir, place.base, LOG_SUFFIX);
        let mut reader = match BatchReader::open_with_sum(self.fs, &file) {
            Ok(reader) => reader,
            // Beside a running broker; otherwise it was just listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                let what = format!("it cannot be read: {error}");
                self.report.damage(&file, None, Remedy::RestoreFile, what);
                self.next_offset = None;
                return;
            }
        };
        self.report.segments += 1;
        let mut checks = self.checks(place);
        let stopped = self.batches(&mut reader, place, &mut checks);
        let known = self.report.damages.len();
        match stopped {
            Ok(()) => {
                checks.offsets.finish(&mut self.report);
                checks.times.finish(&mut self.report);
                checks.txns.finish(&mut self.report);
            }
            Err(stop) => {
                // That the indexes do not fit says nothing of them now.
                self.stopped(&file, place, stop);
                self.next_offset = None;
                return;
            }
        }
        let indexes_fine = self.report.damages.len() == known;
        let sum_fits = self.compare_sums(place, reader, indexes_fine);
        self.judge(&file, checks.gap, checks.epoch, sum_fits);
    }

    fn checks(&self, place: SegmentPlace) -> Checks {
        // Rolled segments get their indexes with the next sync; until then a recovery makes them.
        let recovery_point = self.facts.durable_end();
        let is_unsealed =
            place.next_base.is_none_or(|next| !self.facts.is_clean && next > recovery_point);
        let tolerance = Tolerance { is_unsealed, may_be_ahead: !self.facts.is_clean };
        let file = |suffix| path(self.dir, place.base, suffix);
        Checks {
            offsets: IndexCheck::offsets(self.fs, file(OFFSET_INDEX_SUFFIX), place.base, tolerance),
            times: IndexCheck::times(self.fs, file(TIME_INDEX_SUFFIX), place.base, tolerance),
            txns: TxnCheck::open(
                self.fs,
                file(TXN_INDEX_SUFFIX),
                place.base,
                is_unsealed && !self.facts.is_clean,
            ),
            gap: None,
            epoch: None,
        }
    }

    fn batches(
        &mut self,
        reader: &mut BatchReader,
        place: SegmentPlace,
        checks: &mut Checks,
    ) -> Result<(), Stop> {
        let due = self.next_offset.unwrap_or(place.base);
        if place.base < due {
            let what = format!("it begins at offset {}, where {due} is due", place.base);
            return Err(Stop { position: 0, what, is_torn: false });
        }
        let mut told = 0;
        let mut offset_min = place.base;
        loop {
            let position = reader.position();
            let batch = match reader.next_batch() {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(error) => {
                    let is_torn = matches!(error, BatchReadError::Torn(_));
                    return Err(Stop { position, what: error.to_string(), is_torn });
                }
            };
            let stop = |what| Stop { position, what, is_torn: false };
            check_header(&batch, place, offset_min).map_err(stop)?;
            let records = batch.view.as_ref().map_or(Ok(()), check_records);
            records.map_err(stop)?;
            self.gap(
                &batch,
                self.next_offset.map_or(offset_min, |due| due.max(offset_min)),
                checks,
            );
            self.epoch(&batch, checks);
            self.transaction(&batch, checks);
            checks.offsets.batch(position, &batch.header);
            checks.times.batch(position, &batch.header);
            self.report.batches += 1;
            self.report.records += u64::try_from(batch.header.records_count).unwrap_or(0);
            self.report.bytes += batch.header.size() as u64;
            offset_min = batch.header.next_offset();
            self.next_offset = Some(offset_min);
            if reader.position() - told >= METER_BYTES {
                self.meter.add(reader.position() - told);
                told = reader.position();
            }
        }
        self.next_offset = Some(self.next_offset.unwrap_or(offset_min).max(offset_min));
        self.meter.add(reader.position() - told);
        Ok(())
    }

    /// Offsets may be missing where the log was compacted, and nowhere else.
    fn gap(&mut self, batch: &FoundBatch<'_>, due: i64, checks: &mut Checks) {
        if batch.header.base_offset == due {
            return;
        }
        self.open.note_gap();
        let is_compacted = self.facts.compacted_up_to.is_some_and(|end| due < end);
        if !is_compacted && checks.gap.is_none() {
            let found = batch.header.base_offset;
            let what = format!("the batch has offset {found}, where {due} is due");
            checks.gap = Some((batch.position, what));
        }
    }

    fn epoch(&mut self, batch: &FoundBatch<'_>, checks: &mut Checks) {
        let header = &batch.header;
        let epoch = header.partition_leader_epoch;
        if checks.epoch.is_some() || self.epochs_blamed {
            return;
        }
        let mut fail = |what| checks.epoch = Some((batch.position, what));
        if epoch < self.latest_epoch {
            fail(format!("leader epoch {epoch} follows {}", self.latest_epoch));
            return;
        }
        self.latest_epoch = epoch;
        let latest = self.epochs.latest().map_or(-1, |latest| latest.epoch);
        // The file is written with the next sync; until then a recovery reads the batches.
        let recovery_point = self.facts.durable_end();
        let may_lag = !self.facts.is_clean && header.base_offset >= recovery_point;
        // An epoch begins where a batch does, so both ends of the batch are of the same one.
        let ends = [header.base_offset, header.last_offset()];
        let expected = ends.into_iter().filter_map(|offset| self.epochs.epoch_for_offset(offset));
        let other = expected.into_iter().find(|expected| *expected != epoch);
        if let Some(other) = other.filter(|_| !(epoch > latest && may_lag)) {
            let file = LEADER_EPOCH_CHECKPOINT;
            fail(format!("the batch is of leader epoch {epoch}, {file} says {other}"));
        }
    }

    fn transaction(&mut self, batch: &FoundBatch<'_>, checks: &mut Checks) {
        self.open.batch(&batch.header);
        if !batch.header.attributes.is_control() {
            return;
        }
        // Other control records are of Kafka's metadata log.
        if let Some(Ok(marker)) = batch.view.as_ref().map(EndTransactionMarker::from_batch) {
            let (offset, producer) = (batch.header.base_offset, batch.header.producer_id);
            checks.txns.marker(offset, producer, marker.committed, &mut self.open);
        }
    }

    /// The batches end where the file does not.
    fn stopped(&mut self, file: &Path, place: SegmentPlace, stop: Stop) {
        if stop.is_torn && place.next_base.is_none() && self.facts.is_live {
            // An append that is under way.
            return;
        }
        let end = self.next_offset.unwrap_or(place.base);
        let is_undurable = end >= self.facts.durable_end();
        let will_be_cut = is_undurable && !self.facts.is_clean && !self.facts.is_live;
        let remedy = if will_be_cut { Remedy::NextStart } else { Remedy::RepairLog };
        self.report.damage(file, Some(stop.position), remedy, stop.what);
    }

    /// Compares the files of a sealed segment with their sums. Tells whether that of the log fits;
    /// nothing if there is none.
    fn compare_sums(
        &mut self,
        place: SegmentPlace,
        reader: BatchReader,
        indexes_fine: bool,
    ) -> Option<bool> {
        // The last segment may have been written to since, or will be.
        place.next_base?;
        if indexes_fine {
            for suffix in [OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX] {
                self.compare_index_sum(&path(self.dir, place.base, suffix));
            }
        }
        let file = path(self.dir, place.base, LOG_SUFFIX);
        let wanted = self.sums.get(&name_of(&file))?;
        let (bytes, crc) = reader.finish_sum().ok()?;
        self.report.sums_compared += 1;
        Some((bytes, crc) == (wanted.bytes, wanted.crc))
    }

    fn compare_index_sum(&mut self, file: &Path) {
        let Some(wanted) = self.sums.get(&name_of(file)) else { return };
        let what = match sum_file(self.fs, file) {
            Ok(sum) if sum == wanted => {
                self.report.sums_compared += 1;
                return;
            }
            Ok(_) => NOT_AS_SEALED.to_owned(),
            Err(error) => format!("it cannot be read: {error}"),
        };
        self.report.damage(file, None, Remedy::DeleteIndex, what);
    }

    /// What is outside of the batches' checksums: their offsets and epochs. The sum of the whole
    /// file says whether it is the log or something else that is wrong.
    fn judge(
        &mut self,
        file: &Path,
        gap: Option<(u64, String)>,
        epoch: Option<(u64, String)>,
        sum_fits: Option<bool>,
    ) {
        if let Some((_, what)) = epoch.as_ref().filter(|_| sum_fits == Some(true)) {
            let file = self.dir.join(LEADER_EPOCH_CHECKPOINT);
            self.report.damage(&file, None, Remedy::DeleteEpochs, what.clone());
            self.epochs_blamed = true;
        }
        let gap = gap.filter(|_| sum_fits != Some(true));
        if let Some((position, what)) = &gap {
            if self.facts.is_clean {
                // Not for a repair: it would cut off what may be good.
                self.report.damage(file, Some(*position), Remedy::RestoreFile, what.clone());
                return;
            }
            // How far the log was compacted is only certain after a clean stop.
            let file = file.display();
            self.report.note(format!(
                "{file} at position {position}: {what}: fine if the log was just compacted"
            ));
        }
        match (epoch.filter(|_| sum_fits != Some(true)), sum_fits) {
            (Some((position, what)), _) => {
                self.report.damage(file, Some(position), Remedy::RepairLog, what);
            }
            (None, Some(false)) => {
                self.report.damage(file, None, Remedy::RepairLog, NOT_AS_SEALED);
            }
            (None, _) => {}
        }
    }
}

const NOT_AS_SEALED: &str = "its bytes are not those that were sealed \
    (if Kafka has written here since, delete barnabas-sealed)";

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn check_header(
    batch: &FoundBatch<'_>,
    place: SegmentPlace,
    offset_min: i64,
) -> Result<(), String> {
    let header = &batch.header;
    if !batch.is_valid() {
        let (stored, computed) = (header.crc, batch.computed_crc);
        return Err(format!(
            "the checksum does not fit (stored crc = {stored}, computed crc = {computed})"
        ));
    }
    let (first, last) = (header.base_offset, header.last_offset());
    if first < offset_min || header.last_offset_delta < 0 {
        return Err(format!(
            "the batch has the offsets {first} to {last}, where {offset_min} is due"
        ));
    }
    if relative(place.base, last).is_none() || place.next_base.is_some_and(|next| last >= next) {
        return Err(format!(
            "the batch has the offsets {first} to {last}, which lie behind this segment"
        ));
    }
    Ok(())
}

/// The records of a batch whose checksum fits: as many as the header says, in rising order.
fn check_records(view: &BatchView<'_>) -> Result<(), String> {
    let header = view.header();
    if header.records_count < 0 {
        return Err(format!("the batch announces {} records", header.records_count));
    }
    let records = view.plain_records(RECORDS_BYTES_MAX).map_err(|error| error.to_string())?;
    let mut delta_min = 0;
    for record in records.iter() {
        let record = record.map_err(|error| error.to_string())?;
        if record.offset_delta < delta_min || record.offset_delta > header.last_offset_delta {
            let offset = header.offset_of(record.offset_delta);
            return Err(format!("a record has offset {offset}, out of its order"));
        }
        delta_min = record.offset_delta.saturating_add(1);
    }
    Ok(())
}

/// Looks at one sealed segment by itself, as far as Kafka's own checksums and the indexes tell.
pub(crate) fn check_sealed(fs: &dyn Fs, dir: &Path, base: i64, next_base: i64) -> Vec<Damage> {
    let mut ignore = |_: super::Progress<'_>| {};
    let facts = PartitionFacts { compacted_up_to: Some(i64::MAX), ..PartitionFacts::default() };
    let mut walk = LogWalk {
        fs,
        dir,
        facts,
        sums: &SealedSums::default(),
        epochs: &LeaderEpochCache::new(),
        meter: &mut Meter::new(&mut ignore, 0),
        report: Report::default(),
        next_offset: None,
        latest_epoch: -1,
        open: OpenTransactions::default(),
        epochs_blamed: true,
    };
    walk.open.note_gap();
    walk.segment(SegmentPlace { base, next_base: Some(next_base) });
    walk.report.damages
}
