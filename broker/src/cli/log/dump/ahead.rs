//! A segment as the next start will find it: with what the journal of its log directory writes back.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::fs::{Fs, RealFs};
use storage::journal::pending::Pending;
use storage::{JournalError, TopicPartition, dir_lock};

use super::batches::{self, Source};
use super::{Decoder, Dump, Failed};

/// The journal that was looked at last: the files of one command are mostly of one directory.
#[derive(Debug, Default)]
pub(super) struct Journals {
    last: Option<(PathBuf, Result<Pending, JournalError>)>,
}

impl Journals {
    /// Shows a segment. When the journal cannot be read, that is an error after all that the file
    /// itself holds was shown.
    pub(super) fn dump_segment<W: Write>(
        &mut self,
        dump: &mut Dump<'_, W>,
        records: Option<Decoder>,
    ) -> Result<(), Failed> {
        let path = dump.file.canonicalize().unwrap_or_else(|_| dump.file.to_owned());
        let as_it_is = Source { fs: &RealFs, path: &path, restored: None };
        let Some(log_dir) = log_dir_of(&path) else {
            return batches::dump(&as_it_is, dump, records);
        };
        match self.of(log_dir) {
            Ok(pending) => {
                let restored = pending.segment(&path).map_err(Failed::file)?;
                batches::dump(&Source { fs: &*pending.fs, path: &path, restored }, dump, records)
            }
            Err(error) => {
                batches::dump(&as_it_is, dump, records)?;
                let what = "what the journal holds of it is not known";
                Err(Failed::file(format!("{what}: {error}")))
            }
        }
    }

    fn of(&mut self, log_dir: &Path) -> &Result<Pending, JournalError> {
        if self.last.as_ref().is_some_and(|(dir, _)| dir != log_dir) {
            self.last = None;
        }
        let (_, journal) = self.last.get_or_insert_with(|| (log_dir.to_owned(), look(log_dir)));
        journal
    }
}

fn look(log_dir: &Path) -> Result<Pending, JournalError> {
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    match dir_lock::holder(&*fs, log_dir).unwrap_or_default() {
        Some(_) => Ok(Pending::nothing(&fs)),
        None => Pending::look(&fs, log_dir),
    }
}

/// The log directory, if the file lies in the folder of a partition.
fn log_dir_of(segment: &Path) -> Option<&Path> {
    let folder = segment.parent()?;
    let _ = TopicPartition::from_dir_name(&folder.file_name()?.to_string_lossy())?;
    folder.parent()
}
