//! The names of a segment's files: the base offset in 20 digits and a suffix, as in Kafka.

use std::path::{Path, PathBuf};

pub(crate) const LOG_SUFFIX: &str = ".log";
pub(crate) const OFFSET_INDEX_SUFFIX: &str = ".index";
pub(crate) const TIME_INDEX_SUFFIX: &str = ".timeindex";
pub(crate) const TXN_INDEX_SUFFIX: &str = ".txnindex";
/// Added to the other suffixes when a file waits for its deletion.
pub(crate) const DELETED_SUFFIX: &str = ".deleted";
/// Kafka's compaction: not finished, may be thrown away.
pub(crate) const CLEANED_SUFFIX: &str = ".cleaned";
/// Kafka's compaction: finished, but not yet in the place of what it replaces.
pub(crate) const SWAP_SUFFIX: &str = ".swap";

/// All files that belong to a segment.
pub(crate) const SEGMENT_SUFFIXES: [&str; 4] =
    [LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX];

/// The path of one of a segment's files.
pub(crate) fn path(dir: &Path, base_offset: i64, suffix: &str) -> PathBuf {
    dir.join(format!("{base_offset:020}{suffix}"))
}

/// The base offset in a file name with this suffix; `None` for any other name.
pub(crate) fn base_offset(name: &str, suffix: &str) -> Option<i64> {
    let digits = name.strip_suffix(suffix)?;
    let is_ours = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_twenty_digits() {
        let path = path(Path::new("/d"), 42, LOG_SUFFIX);
        assert_eq!(path, Path::new("/d/00000000000000000042.log"));
        assert_eq!(base_offset("00000000000000000042.log", LOG_SUFFIX), Some(42));
        for name in ["42.log", "00000000000000000042.index", "0000000000000000004x.log", ".log"] {
            assert_eq!(base_offset(name, LOG_SUFFIX), None, "{name}");
        }
        assert_eq!(base_offset("99999999999999999999.log", LOG_SUFFIX), None);
    }
}
