//! Making durable what was walked, and the indexes of all but the last segment.

use std::io;

use super::{OpenLogError, Opening};
use crate::log_dir::is_out_of_space;
use crate::segment::Segment;

impl Opening<'_> {
    /// Makes the segments from `first` on durable, and their names.
    pub(super) fn sync(&self, first: usize) -> Result<(), OpenLogError> {
        let recovered = self.segments.get(first..).unwrap_or_default();
        let count = recovered.len();
        for segment in recovered {
            segment.sync_whole(self.fs).map_err(|error| segment.io_error(error))?;
        }
        // The names may have been made just before the crash.
        for dir in [Some(&*self.path), self.path.parent()].into_iter().flatten() {
            self.fs.sync_dir(dir).map_err(|error| self.io_error(dir, error))?;
        }
        for (at, segment) in recovered.iter().enumerate() {
            let failed = |error| segment.io_error(error);
            // What is there may point into what was cut off. Until the next clean stop, which
            // syncs the names again, no start believes an index.
            segment.remove_index_files(self.fs).map_err(failed)?;
            if at + 1 < count {
                self.seal(segment).map_err(failed)?;
            }
        }
        if count > 1 {
            let path = &self.path;
            self.fs.sync_dir(path).map_err(|error| self.io_error(path, error))?;
        }
        Ok(())
    }

    /// On a full disk the indexes stay in memory: the log opens all the same, and they are made
    /// anew when they are missed.
    fn seal(&self, segment: &Segment) -> io::Result<()> {
        match segment.seal(self.fs) {
            Ok(files) => files.into_iter().flatten().try_for_each(|file| file.sync_data()),
            Err(error) if is_out_of_space(&error) => segment.remove_index_files(self.fs),
            Err(error) => Err(error),
        }
    }
}
