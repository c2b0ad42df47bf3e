//! What an earlier process left in a partition's directory: files that waited for their deletion,
//! unfinished files, indexes without a log, a compaction that was cut off. Settled before anything
//! of the log is opened, as Kafka's `LogLoader` does it; `replace.rs` is the other side.
//!
//! | found | is done |
//! |---|---|
//! | `.deleted`, `.tmp` | removed |
//! | `.cleaned` | removed, with every `.swap` of the same or a later segment: it was not finished |
//! | a `.swap` of no segment | the log does not open |
//! | any other `.swap` | the segments that it replaces are removed, then it takes their name |
//! | an index whose segment is not there | removed |
//!
//! Every step can be cut off and begun again.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use protocol_codec::records::{BATCH_OVERHEAD, BatchHeader};

use super::recover::OpenLogError;
use crate::fs::{Fs, OpenMode, read_at_most};
use crate::segment::SegmentError;
use crate::segment::files::{
    CLEANED_SUFFIX, DELETED_SUFFIX, LOG_SUFFIX, OFFSET_INDEX_SUFFIX, SEGMENT_SUFFIXES, SWAP_SUFFIX,
    TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, base_offset,
};

/// Settles the leftovers. Returns the names of the files that stay, sorted.
pub(super) fn settle(fs: &dyn Fs, dir: &Path) -> Result<Vec<String>, OpenLogError> {
    let settling = Settling { fs, dir };
    let names = settling.names()?;
    let is_unknown =
        |name: &&String| name.ends_with(SWAP_SUFFIX) && segment_of(name, SWAP_SUFFIX).is_none();
    if let Some(unknown) = names.iter().find(is_unknown) {
        return Err(OpenLogError::UnfinishedCompaction { path: dir.join(unknown) });
    }
    let (gone, mut names): (Vec<String>, Vec<String>) =
        names.into_iter().partition(|name| is_unfinished(name));
    // A swap file that has its `.cleaned` companions beside it was not finished either.
    let first_cleaned = gone.iter().filter_map(|name| segment_of(name, CLEANED_SUFFIX)).min();
    let (invalid, kept): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| {
        let swap = segment_of(name, SWAP_SUFFIX);
        swap.zip(first_cleaned).is_some_and(|(swap, cleaned)| swap >= cleaned)
    });
    names = kept;
    // In this order: without its companions a swap file would pass for a finished one.
    settling.remove(&invalid)?;
    if !invalid.is_empty() {
        settling.sync()?;
    }
    settling.remove(&gone)?;
    if names.iter().any(|name| name.ends_with(SWAP_SUFFIX)) {
        names = settling.finish_swap(&names)?;
    }
    let (orphans, names): (Vec<String>, Vec<String>) =
        names.iter().cloned().partition(|name| is_orphan(name, &names));
    settling.remove(&orphans)?;
    Ok(names)
}

/// A directory that is being settled.
struct Settling<'a> {
    fs: &'a dyn Fs,
    dir: &'a Path,
}

impl Settling<'_> {
    fn failed(&self, path: &Path, source: io::Error) -> OpenLogError {
        OpenLogError::Io { path: path.to_owned(), source }
    }

    fn names(&self) -> Result<Vec<String>, OpenLogError> {
        let entries = self.fs.list(self.dir).map_err(|error| self.failed(self.dir, error))?;
        Ok(entries.into_iter().filter(|entry| !entry.is_dir).map(|entry| entry.name).collect())
    }

    fn remove(&self, names: &[String]) -> Result<(), OpenLogError> {
        for name in names {
            let path = self.dir.join(name);
            self.fs.remove_file(&path).map_err(|error| self.failed(&path, error))?;
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), OpenLogError> {
        self.fs.sync_dir(self.dir).map_err(|error| self.failed(self.dir, error))
    }

    /// Puts the swap files in the place of what they replace. Returns the names afterwards.
    fn finish_swap(&self, names: &[String]) -> Result<Vec<String>, OpenLogError> {
        let swaps: Vec<&String> = names.iter().filter(|n| n.ends_with(SWAP_SUFFIX)).collect();
        let mut replaced = BTreeSet::new();
        for name in &swaps {
            let log = name.strip_suffix(SWAP_SUFFIX).unwrap_or_default();
            let Some(base) = base_offset(log, LOG_SUFFIX) else { continue };
            let next_offset = self.next_offset_of_swap(base)?;
            tracing::info!(
                dir = %self.dir.display(), swap = name.as_str(), next_offset,
                "Found log file from interrupted swap operation: it takes the place of what it replaces"
            );
            let bases = names.iter().filter_map(|name| any_base_offset(name));
            replaced.extend(bases.filter(|at| *at == base || (base..next_offset).contains(at)));
        }
        let old: Vec<String> = names
            .iter()
            .filter(|name| any_base_offset(name).is_some_and(|base| replaced.contains(&base)))
            .cloned()
            .collect();
        self.remove(&old)?;
        // A segment that is replaced must not come back beside the one that replaces it.
        self.sync()?;
        for name in &swaps {
            let (from, to) = (self.dir.join(name), name.strip_suffix(SWAP_SUFFIX));
            let to = self.dir.join(to.unwrap_or_default());
            self.fs.rename(&from, &to).map_err(|error| self.failed(&from, error))?;
        }
        self.sync()?;
        self.names()
    }

    /// The offset after the last batch of a `.log.swap` file.
    fn next_offset_of_swap(&self, base: i64) -> Result<i64, OpenLogError> {
        let path = self.dir.join(format!("{base:020}{LOG_SUFFIX}{SWAP_SUFFIX}"));
        let failed = |error| self.failed(&path, error);
        let file = self.fs.open(&path, OpenMode::Read).map_err(failed)?;
        let len = file.len().map_err(failed)?;
        let (mut position, mut next_offset) = (0, base);
        while position < len {
            let mut bytes = [0; BATCH_OVERHEAD];
            let read = read_at_most(&*file, &mut bytes, position).map_err(failed)?;
            let header = BatchHeader::read(bytes.get(..read).unwrap_or_default());
            let header = header.map_err(|error| {
                let reason = error.to_string();
                SegmentError::Corrupt { path: path.clone(), position, reason }
            })?;
            next_offset = header.next_offset();
            position += header.size() as u64;
        }
        Ok(next_offset)
    }
}

fn is_unfinished(name: &str) -> bool {
    [DELETED_SUFFIX, CLEANED_SUFFIX, ".tmp"].iter().any(|suffix| name.ends_with(suffix))
}

/// The base offset of a segment's file whose name has `added` behind it.
fn segment_of(name: &str, added: &str) -> Option<i64> {
    any_base_offset(name.strip_suffix(added)?)
}

/// The base offset of a segment's file.
fn any_base_offset(name: &str) -> Option<i64> {
    SEGMENT_SUFFIXES.iter().find_map(|suffix| base_offset(name, suffix))
}

/// An index whose segment is not there. `names` is sorted.
fn is_orphan(name: &str, names: &[String]) -> bool {
    [OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX]
        .iter()
        .filter_map(|suffix| base_offset(name, suffix))
        .any(|base| names.binary_search(&format!("{base:020}{LOG_SUFFIX}")).is_err())
}
