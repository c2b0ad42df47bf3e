//! Writing what recovery has made anew, and making all of it durable.

use std::io;

use super::{OpenLogError, Opening};
use crate::fs::{replace_file, replace_file_unsynced};
use crate::leader_epoch_cache::LEADER_EPOCH_CHECKPOINT;
use crate::log_dir::is_out_of_space;
use crate::partition_metadata;
use crate::segment::Segment;

impl Opening<'_> {
    /// Makes the segments from `first` on durable, and their names; writes the indexes of all but
    /// the last. With [`super::OpenLog::sync_later`] nothing is synced.
    pub(super) fn sync(&self, first: usize) -> Result<(), OpenLogError> {
        let recovered = self.segments.get(first..).unwrap_or_default();
        let count = recovered.len();
        let sync_now = !self.open.sync_later;
        if sync_now {
            for segment in recovered {
                segment.sync_whole(self.fs).map_err(|error| segment.io_error(error))?;
            }
            // Without it the log could be taken for that of a later topic of the same name.
            partition_metadata::sync(self.fs, &self.path)
                .map_err(|error| self.io_error(&self.path, error))?;
            // The names may have been made just before the crash.
            for dir in [Some(&*self.path), self.path.parent()].into_iter().flatten() {
                self.fs.sync_dir(dir).map_err(|error| self.io_error(dir, error))?;
            }
        }
        for (at, segment) in recovered.iter().enumerate() {
            let failed = |error| segment.io_error(error);
            // What is there may point into what was cut off. Until the next clean stop, which
            // syncs the names again, no start believes an index.
            segment.empty_index_files(self.fs).map_err(failed)?;
            if at + 1 < count {
                self.seal(segment).map_err(failed)?;
            }
        }
        if count > 1 && sync_now {
            let path = &self.path;
            self.fs.sync_dir(path).map_err(|error| self.io_error(path, error))?;
        }
        Ok(())
    }

    /// On a full disk the indexes stay in memory: the log opens all the same, and they are made
    /// anew when they are missed.
    fn seal(&self, segment: &Segment) -> io::Result<()> {
        match segment.seal(self.fs) {
            Ok(_) if self.open.sync_later => Ok(()),
            Ok(files) => files.into_iter().flatten().try_for_each(|file| file.sync_data()),
            Err(error) if is_out_of_space(&error) => segment.remove_index_files(self.fs),
            Err(error) => Err(error),
        }
    }

    /// Writes the leader epochs if the walk has changed them: the recovery point will pass the
    /// batches that they were taken from. Returns whether they are in their file; on a full disk
    /// they are not.
    pub(super) fn write_epochs(&self) -> Result<bool, OpenLogError> {
        if !self.epochs_changed || self.segments.is_empty() {
            return Ok(!self.epochs_changed);
        }
        let path = self.path.join(LEADER_EPOCH_CHECKPOINT);
        let content = self.epochs.encode();
        let written = if self.open.sync_later {
            replace_file_unsynced(self.fs, &path, &content)
        } else {
            replace_file(self.fs, &path, &content)
        };
        match written {
            Ok(()) => Ok(true),
            Err(error) if is_out_of_space(&error) => Ok(false),
            Err(source) => Err(OpenLogError::Io { path, source }),
        }
    }
}
