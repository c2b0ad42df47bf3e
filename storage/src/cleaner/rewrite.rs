//! The second walk of a cleaning: writes what is left of each group of segments.

use std::sync::Arc;

use super::clean::{CleanError, Cleaning, Work, decompressed_bytes_max};
use super::filter::{Filter, Left, Rules};
use super::reader::{BatchReader, Step};
use crate::fs::read_exact_at;
use crate::log::replace::Replaced;
use crate::segment::Segment;
use crate::segment::cleaned::CleanedSegment;
use crate::segment::files::CLEANED_SUFFIX;

/// Left free on the disk, beside the bytes of the new segment.
const SPACE_RESERVE_BYTES: u64 = 16 << 20;

impl Cleaning<'_> {
    /// Writes what is left of a group to one new segment, and puts that into the log. A segment of
    /// which everything stays remains where it is.
    pub(super) fn clean_group(
        &self,
        work: &mut Work,
        group: &[Arc<Segment>],
    ) -> Result<(), CleanError> {
        let Some(first) = group.first() else { return Ok(()) };
        if group.len() == 1 && self.is_known_to_stay(work, first) {
            return Ok(());
        }
        self.check_space(group)?;
        let interval = u64::try_from(work.config.index_interval_bytes).unwrap_or(0);
        let (fs, dir) = (self.log.fs(), self.log.path_arc());
        let original = (group.len() == 1).then_some(&**first);
        let mut cleaned = CleanedSegment::new(dir, first.base_offset(), interval, original);
        if group.len() > 1 {
            cleaned.begin(fs)?;
        }
        let copied = group
            .iter()
            .try_for_each(|segment| self.copy(work, segment, &mut cleaned))
            .and_then(|()| self.finish(work, &mut cleaned));
        match copied {
            Err(error) => {
                self.throw_away(&cleaned)?;
                return Err(error);
            }
            Ok(()) if cleaned.is_the_original() => {
                tracing::debug!(log = %self.log.topic_partition(), %first, "All of it stays");
                return Ok(());
            }
            Ok(()) => {}
        }
        work.stats.bytes_written += cleaned.size();
        tracing::info!(
            log = %self.log.topic_partition(), segments = group.len(), %first,
            bytes = cleaned.size(), "Swapping in a cleaned segment"
        );
        match self.log.replace_segments(group, &cleaned, self.now_ms)? {
            Replaced::Done => Ok(()),
            Replaced::RowHasChanged => Err(CleanError::Aborted),
        }
    }

    fn finish(&self, work: &mut Work, cleaned: &mut CleanedSegment) -> Result<(), CleanError> {
        if cleaned.is_the_original() {
            return Ok(());
        }
        cleaned.finish(self.log.fs())?;
        self.make_ready(work)
    }

    fn throw_away(&self, cleaned: &CleanedSegment) -> Result<(), CleanError> {
        Ok(cleaned.remove(self.log.fs(), &[CLEANED_SUFFIX])?)
    }

    fn check_space(&self, group: &[Arc<Segment>]) -> Result<(), CleanError> {
        let bytes: u64 = group.iter().map(|segment| segment.size()).sum();
        let needed = bytes.saturating_add(SPACE_RESERVE_BYTES);
        let space = self.log.fs().space(self.log.path())?;
        if space.usable < needed { Err(CleanError::NoSpace { needed: bytes }) } else { Ok(()) }
    }

    /// Nothing before the end of the cleaned part may be recovered or replayed from now on.
    fn make_ready(&self, work: &mut Work) -> Result<(), CleanError> {
        if !work.may_replace {
            if let Some((next, before)) = work.row.split_last() {
                self.log.keep_producers_before(before, next)?;
            }
            work.may_replace = (self.before_replacing)(self.range.first_uncleanable_offset);
        }
        if work.may_replace { Ok(()) } else { Err(CleanError::Offline) }
    }

    /// Begins to write, unless that was done: first what was the same until here.
    fn begin(&self, cleaned: &mut CleanedSegment, segment: &Segment) -> Result<(), CleanError> {
        if cleaned.is_begun() {
            return Ok(());
        }
        let fs = self.log.fs();
        cleaned.begin(fs)?;
        let file = segment.file(fs)?;
        let most = self.buffer_bytes() as u64;
        let mut buffer = vec![0; cleaned.behind().min(most) as usize];
        while cleaned.behind() > 0 {
            let bytes = cleaned.behind().min(most) as usize;
            let bytes = buffer.get_mut(..bytes).unwrap_or_default();
            let read = read_exact_at(&*file, bytes, cleaned.written());
            read.map_err(|error| segment.io_error(error))?;
            cleaned.append(bytes)?;
            // They were read, and written.
            self.go_on(2 * bytes.len() as u64)?;
        }
        Ok(())
    }

    fn copy(
        &self,
        work: &mut Work,
        segment: &Segment,
        cleaned: &mut CleanedSegment,
    ) -> Result<(), CleanError> {
        if self.is_known_to_go(work, segment) {
            return self.begin(cleaned, segment);
        }
        let fs = self.log.fs();
        let rules = Rules {
            map: &work.map,
            last_records: &work.last_records,
            high_watermark: self.log.visible_end(),
            delete_retention_ms: work.config.delete_retention_ms,
            now_ms: self.now_ms,
            decompressed_bytes_max: decompressed_bytes_max(&work.config),
        };
        let mut reader = BatchReader::new(fs, segment, 0, &mut work.buffer)?;
        loop {
            let transactions = &mut work.transactions;
            let pending = &mut cleaned.pending;
            let (done, header, at) =
                match reader.next_unless(&|header| rules.are_overtaken(header))? {
                    Step::Batch(batch, at) => {
                        let filtered = work.filter.filter(&batch, &rules, transactions, pending);
                        let done = filtered.map_err(|error| segment.corrupt(at, error))?;
                        if done.left == Left::Whole {
                            cleaned.keep(batch.bytes());
                        }
                        (done, *batch.header(), at)
                    }
                    Step::Skipped(header, at) => {
                        let done = Filter::filter_overtaken(&header, &rules, transactions, pending);
                        if done.left == Left::Whole {
                            cleaned.keep(&header.to_bytes());
                        }
                        (done, header, at)
                    }
                    Step::Read(bytes) => {
                        self.go_on(bytes as u64)?;
                        continue;
                    }
                    Step::End => return Ok(()),
                };
            work.stats.bytes_read += header.size() as u64;
            work.stats.records_read += done.records_read;
            work.stats.records_kept += done.records_kept;
            work.stats.keyless_records += done.keyless;
            if let Some(aborted) = done.aborted {
                cleaned.note_aborted(&aborted);
            }
            let left = match done.left {
                Left::Whole => Some(header),
                Left::New(new) => Some(new),
                Left::Nothing => None,
            };
            if done.left != Left::Whole {
                self.begin(cleaned, segment)?;
            }
            if left.is_some_and(|left| !cleaned.note(&left)) {
                let reason = "the offset lies too far from the first one of its segment";
                return Err(segment.corrupt(at, reason).into());
            }
            if cleaned.pending.len() >= self.buffer_bytes() {
                let bytes = cleaned.pending.len() as u64;
                cleaned.write()?;
                self.go_on(bytes)?;
            }
        }
    }
}
