//! Reading the batches of files that no log has open: another node's segments, Kafka's metadata.
//!
//! Nothing is written and no index is used. Every batch is checked (length, magic, CRC) before it
//! is shown; the first that is not whole is an error that names file and position.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use protocol_codec::records::{BATCH_OVERHEAD, Batch, BatchHeader};

use crate::SegmentError;
use crate::fs::{File, Fs, OpenMode, read_exact_at};
use crate::segment::files::{LOG_SUFFIX, base_offset};

/// A file of batches, read from its start to its end.
#[derive(Debug)]
pub struct BatchFile {
    path: PathBuf,
    file: Arc<dyn File>,
    len: u64,
    position: u64,
}

impl BatchFile {
    pub fn open(fs: &dyn Fs, path: &Path) -> Result<Self, SegmentError> {
        let io = |source| SegmentError::Io { path: path.to_owned(), source };
        let file = fs.open(path, OpenMode::Read).map_err(io)?;
        let len = file.len().map_err(io)?;
        Ok(Self { path: path.to_owned(), file, len, position: 0 })
    }

    /// The next batch; `None` at the end of the file.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, SegmentError> {
        let left = self.len - self.position;
        if left == 0 {
            return Ok(None);
        }
        let mut head = vec![0; BATCH_OVERHEAD.min(usize::try_from(left).unwrap_or(usize::MAX))];
        self.read(&mut head)?;
        let header = BatchHeader::read(&head).map_err(|error| self.damaged(&error))?;
        let size = header.size();
        if size as u64 > left {
            return Err(self.damaged(&format!("a batch of {size} bytes, {left} are left")));
        }
        let mut bytes = vec![0; size];
        self.read(&mut bytes)?;
        let batch = Batch::read(&Bytes::from(bytes)).map_err(|error| self.damaged(&error))?;
        batch.view().verify_checksum().map_err(|error| self.damaged(&error))?;
        self.position += size as u64;
        Ok(Some(batch))
    }

    /// An error that names the place where the last batch ended.
    pub fn damaged(&self, reason: &dyn std::fmt::Display) -> SegmentError {
        let (path, position) = (self.path.clone(), self.position);
        SegmentError::Corrupt { path, position, reason: reason.to_string() }
    }

    fn read(&self, into: &mut [u8]) -> Result<(), SegmentError> {
        let io = |source| SegmentError::Io { path: self.path.clone(), source };
        read_exact_at(&*self.file, into, self.position).map_err(io)
    }
}

/// The segments in a partition's directory with their base offsets, in order.
pub fn segments(fs: &dyn Fs, dir: &Path) -> Result<Vec<(i64, PathBuf)>, SegmentError> {
    let io = |source| SegmentError::Io { path: dir.to_owned(), source };
    let mut segments = Vec::new();
    for entry in fs.list(dir).map_err(io)? {
        if let Some(base) = base_offset(&entry.name, LOG_SUFFIX).filter(|_| !entry.is_dir) {
            segments.push((base, dir.join(&entry.name)));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// Shows every batch in a partition's directory, in order.
pub fn scan<E: From<SegmentError>>(
    fs: &dyn Fs,
    dir: &Path,
    mut show: impl FnMut(&Batch) -> Result<(), E>,
) -> Result<(), E> {
    for (_, path) in segments(fs, dir)? {
        let mut file = BatchFile::open(fs, &path)?;
        while let Some(batch) = file.next_batch()? {
            show(&batch)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use protocol_codec::records::BatchBuilder;

    use super::*;
    use crate::fs::{MemFs, write_all_at};

    fn batch(value: &[u8]) -> Bytes {
        let mut builder = BatchBuilder::new();
        builder.append(0, None, Some(value), &[]).unwrap();
        builder.build().unwrap()
    }

    fn dir_with(files: &[(&str, &[u8])]) -> (MemFs, PathBuf) {
        let (fs, dir) = (MemFs::new(), PathBuf::from("/logs/t-0"));
        fs.create_dir_all(&dir).unwrap();
        for (name, bytes) in files {
            let file = fs.open(&dir.join(name), OpenMode::Create).unwrap();
            write_all_at(&*file, &mut [IoSlice::new(bytes)], 0).unwrap();
        }
        (fs, dir)
    }

    fn count(fs: &MemFs, dir: &Path) -> Result<usize, SegmentError> {
        let mut count = 0;
        scan(fs, dir, |_| {
            count += 1;
            Ok::<_, SegmentError>(())
        })?;
        Ok(count)
    }

    #[test]
    fn segments_are_read_in_order_and_other_files_are_not() {
        let (one, two) = (batch(b"a"), [batch(b"b"), batch(b"c")].concat());
        let (fs, dir) = dir_with(&[
            ("00000000000000000010.log", &two),
            ("00000000000000000000.log", &one),
            ("00000000000000000000.index", b"x"),
            ("1.log", b"x"),
        ]);
        let bases: Vec<i64> = segments(&fs, &dir).unwrap().iter().map(|(base, _)| *base).collect();
        assert_eq!(bases, [0, 10]);
        assert_eq!(count(&fs, &dir).unwrap(), 3);
    }

    #[test]
    fn damage_names_file_and_position() {
        let good = batch(b"a");
        let mut flipped = good.to_vec();
        *flipped.last_mut().unwrap() ^= 1;
        let cut = &good[..good.len() - 1];
        for bad in [&flipped, cut, &[0; 30], &[0; 300]] {
            let bytes = [&good, bad].concat();
            let (fs, dir) = dir_with(&[("00000000000000000000.log", &bytes)]);
            let text = count(&fs, &dir).unwrap_err().to_string();
            let place = format!("00000000000000000000.log is damaged at position {}", good.len());
            assert!(text.contains(&place), "{text}");
        }
    }
}
