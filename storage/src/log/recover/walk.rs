//! Walking the segments that reach to the recovery point and beyond. Nothing on the disk is changed.

use std::sync::Arc;

use super::{OpenLogError, Opening};
use crate::fs::read_file;
use crate::segment::recover::Recovered;
use crate::segment::saved::{SAVED_BYTES_MAX, SAVED_FILE, Saved};
use crate::segment::{Segment, SegmentError};

/// What a walk has found.
#[derive(Debug)]
pub(super) struct Walk {
    /// The first segment that was walked.
    pub(super) first: usize,
    /// The end of what is good.
    pub(super) next_offset: i64,
    pub(super) damage: Option<Damage>,
}

/// The first damaged place of a log.
#[derive(Debug)]
pub(super) struct Damage {
    /// The segment it is in.
    pub(super) segment: usize,
    /// What is good of it.
    pub(super) valid_bytes: u64,
    pub(super) error: SegmentError,
}

impl Opening<'_> {
    pub(super) fn walk(&mut self) -> Result<Walk, OpenLogError> {
        let mut saved = self.read_saved();
        // Without leader epochs all batches have to be asked for theirs.
        let from = if self.epochs.is_empty() { 0 } else { self.recovery_point(saved.as_ref()) };
        let recovery_point = self.recovery_point(saved.as_ref());
        // A segment that ends there may not be sealed yet: what a clean stop has once saved of its
        // indexes would be taken for all of them.
        let after = self.segments.partition_point(|segment| segment.base_offset() < from);
        let first = after.saturating_sub(1);
        let mut next_offset = 0;
        for number in first..self.segments.len() {
            let Some(segment) = self.segments.get(number).map(Arc::clone) else { break };
            if number > first
                && let Some(damage) = self.gap_before(number, next_offset)
            {
                return Ok(Walk { first, next_offset, damage: Some(damage) });
            }
            let saved = saved.take_if(|saved| saved.base_offset == segment.base_offset());
            let recovered = self.walk_segment(&segment, recovery_point, saved)?;
            self.recovery.segments_scanned += 1;
            next_offset = recovered.next_offset;
            if let Some(error) = recovered.damage {
                let damage = Damage { segment: number, valid_bytes: recovered.valid_bytes, error };
                return Ok(Walk { first, next_offset, damage: Some(damage) });
            }
        }
        Ok(Walk { first, next_offset, damage: None })
    }

    /// A segment begins where the one before it ends. Compaction takes records away at that place
    /// too, but only before the recovery point; should its checkpoint be lost, the cleaner's says so.
    fn gap_before(&self, number: usize, next_offset: i64) -> Option<Damage> {
        let before = number.checked_sub(1)?;
        let (segment, next) = (self.segments.get(before)?, self.segments.get(number)?);
        // An empty segment's name, too, says that there was something before it.
        let is_gap = next.base_offset() > next_offset;
        let compacted = self.open.recovery_point.max(self.open.clean_point.unwrap_or(0));
        let is_compacted = next.base_offset() <= compacted;
        if !is_gap || is_compacted {
            return None;
        }
        let reason = format!("it ends at offset {next_offset}, and {next} follows");
        let error = segment.corrupt(segment.size(), reason);
        Some(Damage { segment: before, valid_bytes: segment.size(), error })
    }

    /// What the last checkpoint has saved of the last segment, if it is of use.
    fn read_saved(&self) -> Option<Saved> {
        let last = self.segments.last()?;
        let path = self.path.join(SAVED_FILE);
        let saved = Saved::decode(&read_file(self.fs, &path, SAVED_BYTES_MAX).ok()?)?;
        let fits = saved.base_offset == last.base_offset() && saved.position <= last.size();
        (fits && !self.epochs.is_empty()).then_some(saved)
    }

    /// What was saved was durable before.
    fn recovery_point(&self, saved: Option<&Saved>) -> i64 {
        self.open.recovery_point.max(saved.map_or(0, |saved| saved.next_offset))
    }

    fn walk_segment(
        &mut self,
        segment: &Segment,
        recovery_point: i64,
        saved: Option<Saved>,
    ) -> Result<Recovered, OpenLogError> {
        let interval = u64::try_from(self.open.config.index_interval_bytes).unwrap_or(0);
        let (epochs, changed) = (&mut self.epochs, &mut self.epochs_changed);
        let recovered =
            segment.recover(self.fs, recovery_point, interval, saved, &mut |header| {
                let (epoch, base_offset) = (header.partition_leader_epoch, header.base_offset);
                // What is known already is not noted again: it would drop the epochs behind it.
                if epochs.epoch_for_offset(base_offset) != Some(epoch) {
                    *changed |= epochs.assign(epoch, base_offset);
                }
            })?;
        Ok(recovered)
    }
}
