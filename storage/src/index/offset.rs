//! The offset index (`.index`): where in the segment a record batch lies.
//!
//! ```text
//! 8 bytes an entry, big-endian:
//!   relative offset  u32   last offset of a batch, minus the segment's base offset
//!   position         u32   where that batch begins in the .log file
//! ```

use super::IndexEntry;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    pub(crate) relative_offset: u32,
    pub(crate) position: u32,
}

impl IndexEntry for OffsetEntry {
    const BYTES: usize = 8;

    fn decode(bytes: &[u8]) -> Self {
        let field = |at: usize| {
            bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |b| u32::from_be_bytes(*b))
        };
        Self { relative_offset: field(0), position: field(4) }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.relative_offset.to_be_bytes());
        out.extend_from_slice(&self.position.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::Index;
    use super::*;
    use crate::fs::{Fs, MemFs, OpenMode, read_file};
    use std::io;
    use std::path::Path;

    fn entry(relative_offset: u32, position: u32) -> OffsetEntry {
        OffsetEntry { relative_offset, position }
    }

    fn open(fs: &MemFs, path: &Path) -> io::Result<Index<OffsetEntry>> {
        Index::open(fs.open(path, OpenMode::Read)?, path)
    }

    #[test]
    fn the_file_has_kafkas_bytes_and_is_searched_alike() {
        let fs = MemFs::new();
        let path = Path::new("/00000000000000000000.index");
        let mut index = Index::EMPTY;
        for (offset, position) in [(4, 100), (9, 300), (20, 70_000)] {
            index.push(entry(offset, position));
        }
        let find = |index: &Index<OffsetEntry>, offset| {
            index.last_where(|entry| entry.relative_offset <= offset).unwrap()
        };
        let wanted = [(3, None), (4, Some(entry(4, 100))), (19, Some(entry(9, 300)))];
        for (offset, found) in wanted {
            assert_eq!(find(&index, offset), found);
        }
        let file = index.write_out(&fs, path).unwrap().unwrap();
        index.seal(file);
        for (offset, found) in wanted {
            assert_eq!(find(&index, offset), found);
        }
        assert_eq!(index.last().unwrap(), Some(entry(20, 70_000)));
        assert_eq!(index.get(3).unwrap(), None);
        let bytes = read_file(&fs, path, 100).unwrap();
        assert_eq!(&bytes[16..], [0, 0, 0, 20, 0, 1, 0x11, 0x70]);

        let mut again = open(&fs, path).unwrap().to_memory().unwrap();
        again.retain_front(|entry| entry.position < 300);
        assert_eq!((again.len(), again.last().unwrap()), (1, Some(entry(4, 100))));
    }

    #[test]
    fn a_file_of_a_wrong_size_is_refused() {
        let fs = MemFs::new();
        let path = Path::new("/x.index");
        crate::fs::replace_file(&fs, path, &[0; 9]).unwrap();
        let error = open(&fs, path).unwrap_err();
        assert!(error.to_string().contains("/x.index has 9 bytes"), "{error}");
    }
}
