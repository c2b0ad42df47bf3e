//! What an earlier process left in a partition's directory: files that waited for their deletion,
//! unfinished files, indexes without a log. Settled before anything of the log is opened.

use std::io;
use std::path::Path;

use super::recover::OpenLogError;
use crate::fs::Fs;
use crate::segment::files::{
    CLEANED_SUFFIX, DELETED_SUFFIX, LOG_SUFFIX, OFFSET_INDEX_SUFFIX, SWAP_SUFFIX,
    TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, base_offset,
};

/// Removes the leftovers. Returns the names of the files that stay, sorted.
pub(super) fn settle(fs: &dyn Fs, dir: &Path) -> Result<Vec<String>, OpenLogError> {
    let failed = |path: &Path, source: io::Error| OpenLogError::Io { path: path.into(), source };
    let entries = fs.list(dir).map_err(|error| failed(dir, error))?;
    let names: Vec<String> =
        entries.into_iter().filter(|entry| !entry.is_dir).map(|entry| entry.name).collect();
    if let Some(swap) = names.iter().find(|name| name.ends_with(SWAP_SUFFIX)) {
        return Err(OpenLogError::UnfinishedCompaction { path: dir.join(swap) });
    }
    let (gone, kept): (Vec<String>, Vec<String>) =
        names.iter().cloned().partition(|name| is_unfinished(name) || is_orphan(name, &names));
    for name in gone {
        let path = dir.join(name);
        fs.remove_file(&path).map_err(|error| failed(&path, error))?;
    }
    Ok(kept)
}

fn is_unfinished(name: &str) -> bool {
    [DELETED_SUFFIX, CLEANED_SUFFIX, ".tmp"].iter().any(|suffix| name.ends_with(suffix))
}

/// An index whose segment is not there. `names` is sorted.
fn is_orphan(name: &str, names: &[String]) -> bool {
    [OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX]
        .iter()
        .filter_map(|suffix| base_offset(name, suffix))
        .any(|base| names.binary_search(&format!("{base:020}{LOG_SUFFIX}")).is_err())
}
