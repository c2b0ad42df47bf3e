//! Judging damage, and cutting it off where nothing was promised.
//!
//! The order survives a crash at any step: what is cut off is kept first, durably; if the cut
//! itself is not there at the next start, the same bytes are judged, kept under the same name and
//! cut again.

use std::io;

use super::kept::{self, Kept};
use super::walk::Damage;
use super::{OpenLogError, Opening};
use crate::segment::SegmentError;
use crate::segment::files::LOG_SUFFIX;
use crate::segment::saved::SAVED_FILE;

impl Opening<'_> {
    /// Cuts the log off at `damage`, which begins at `next_offset`; refuses if that was durable.
    pub(super) fn cut(&mut self, damage: Damage, next_offset: i64) -> Result<(), OpenLogError> {
        let Damage { segment: number, valid_bytes, error } = damage;
        let durable_end = self.open.durable_end();
        if next_offset < durable_end {
            let log_dir = self.open.log_dir();
            return Err(OpenLogError::DurableDataDamaged { damage: error, durable_end, log_dir });
        }
        let follows = self.good_batch_behind(number, valid_bytes, next_offset)?;
        let kept = self.keep(number, valid_bytes)?;
        self.remove(number, valid_bytes)?;
        let bytes_cut = self.recovery.bytes_cut;
        let (kept_in, what) = (
            kept.to_string(),
            match &follows {
                None => "Cutting off a write that was not finished",
                Some(_) => {
                    "Cutting the log off at a hole: what follows was written, but never synced"
                }
            },
        );
        let follows = follows.as_deref().unwrap_or("nothing");
        tracing::warn!(
            log = %self.open.topic_partition, damage = %error, next_offset, bytes_cut, follows,
            kept_in, "{what}"
        );
        Ok(())
    }

    /// Where a good batch begins behind the damage, if there is one.
    fn good_batch_behind(
        &self,
        number: usize,
        valid_bytes: u64,
        next_offset: i64,
    ) -> Result<Option<String>, OpenLogError> {
        let later = self.segments.get(number..).unwrap_or_default();
        for (at, segment) in later.iter().enumerate() {
            let position = if at == 0 { valid_bytes } else { 0 };
            if let Some(position) = segment.find_good_batch(self.fs, position, next_offset)? {
                return Ok(Some(format!("{segment} at position {position}")));
            }
        }
        Ok(None)
    }

    /// Puts what is cut off into files of its own.
    fn keep(&mut self, number: usize, valid_bytes: u64) -> Result<Kept, OpenLogError> {
        let mut kept = Kept::default();
        let Some(segment) = self.segments.get(number) else { return Ok(kept) };
        let file = segment.file(self.fs)?;
        kept.copy(self.fs, &segment.path(LOG_SUFFIX), &*file, valid_bytes, segment.size())
            .map_err(|error| segment.io_error(error))?;
        for later in self.segments.get(number + 1..).unwrap_or_default() {
            let path = later.path(LOG_SUFFIX);
            let moved = kept.take(self.fs, &path, later.size());
            moved.map_err(|source| OpenLogError::Io { path, source })?;
        }
        self.fs.sync_dir(&self.path).map_err(|error| self.io_error(&self.path, error))?;
        kept::bound(self.fs, &self.path);
        self.recovery.bytes_kept = kept.bytes();
        Ok(kept)
    }

    /// Removes what is cut off from the log.
    fn remove(&mut self, number: usize, valid_bytes: u64) -> Result<(), OpenLogError> {
        let Some(segment) = self.segments.get(number) else { return Ok(()) };
        self.forget_sums_from(number)?;
        let saved = self.path.join(SAVED_FILE);
        match self.fs.remove_file(&saved) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(self.io_error(&saved, error));
            }
            _ => {}
        }
        self.recovery.bytes_cut = segment.size() - valid_bytes;
        let file = segment.file(self.fs)?;
        file.set_len(valid_bytes).map_err(|error| segment.io_error(error))?;
        segment.set_size(valid_bytes);
        for later in self.segments.drain(number + 1..) {
            self.recovery.bytes_cut += later.size();
            let removed = later.remove_index_files(self.fs);
            removed.map_err(|error| SegmentError::Io {
                path: later.path(LOG_SUFFIX),
                source: error,
            })?;
        }
        Ok(())
    }
}
