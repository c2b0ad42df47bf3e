//! Frames out: answers that wait to be written, in memory and in files.
//!
//! What is in memory is collected and leaves with one vectored write; a large region of a file
//! goes from the page cache to the socket by `sendfile`, a small one is read into the buffer that
//! leaves anyway. Order is kept.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Bytes, BytesMut};
use storage::FileRegion;
use storage::fs;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Answers up to this size are copied together, so that many of them are one piece.
const COPIED_BYTES_MAX: usize = 4 << 10;

/// Regions up to this size are read and copied: as fast as `sendfile`, and two system calls less.
const READ_REGION_BYTES_MAX: usize = 16 << 10;

/// One `sendfile` call moves at most this much, so that one reader does not hold a worker.
const SENDFILE_BYTES_MAX: usize = 512 << 10;

/// Where there is no `sendfile`, regions are read in steps of this size.
const READ_STEP_BYTES: usize = 128 << 10;

/// Pieces of one vectored write.
const SLICES_MAX: usize = 64;

/// When this much was read and not yet all written, small regions stay in their files too: one
/// answer may have thousands of them, and a slow reader would keep them all in memory.
const READ_BYTES_MAX: usize = 256 << 10;

/// The collected tail starts with room for this much.
const TAIL_BYTES: usize = 4 << 10;

/// What waits to be written to one connection.
#[derive(Debug, Default)]
pub struct Output {
    pieces: VecDeque<Piece>,
    tail: BytesMut,
    bytes: usize,
    /// Bytes of regions that were read since the last time that nothing waited.
    read_bytes: usize,
}

#[derive(Debug)]
enum Piece {
    Memory(Bytes),
    Region(FileRegion),
}

impl Piece {
    #[cfg(test)]
    fn memory_bytes(&self) -> usize {
        match self {
            Piece::Memory(bytes) => bytes.len(),
            Piece::Region(_) => 0,
        }
    }
}

impl Output {
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// How many bytes wait, those in files included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds bytes that are in memory.
    pub fn push(&mut self, bytes: Bytes) {
        self.bytes += bytes.len();
        if bytes.len() <= COPIED_BYTES_MAX {
            if self.tail.capacity() == 0 {
                self.tail.reserve(TAIL_BYTES);
            }
            self.tail.extend_from_slice(&bytes);
        } else {
            self.close_tail();
            self.pieces.push_back(Piece::Memory(bytes));
        }
    }

    /// Adds a region of a file. An error leaves an answer cut short: the connection must end.
    pub fn push_region(&mut self, region: FileRegion) -> io::Result<()> {
        self.bytes += region.len;
        if region.len <= READ_REGION_BYTES_MAX && self.read_bytes < READ_BYTES_MAX {
            self.read_bytes += region.len;
            let start = self.tail.len();
            self.tail.resize(start + region.len, 0);
            fs::read_exact_at(&*region.file, &mut self.tail[start..], region.position)
        } else {
            self.close_tail();
            self.pieces.push_back(Piece::Region(region));
            Ok(())
        }
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(Piece::Memory(self.tail.split().freeze()));
        }
    }

    /// Writes as much as the socket takes. True when nothing is left; false when the socket is
    /// full, or when others should have their turn (`yielded`).
    pub fn try_write(&mut self, stream: &TcpStream) -> io::Result<Written> {
        self.close_tail();
        let mut file_bytes = 0;
        loop {
            let written = match self.pieces.front() {
                None => {
                    self.read_bytes = 0;
                    self.release_idle_memory();
                    return Ok(Written::All);
                }
                Some(Piece::Memory(_)) => self.try_write_memory(stream),
                Some(Piece::Region(_)) if file_bytes >= SENDFILE_BYTES_MAX => {
                    return Ok(Written::TakeTurns);
                }
                Some(Piece::Region(region)) => {
                    let sent = send_region(stream, region);
                    file_bytes += sent.as_ref().copied().unwrap_or(0);
                    sent
                }
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Written::Full);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn try_write_memory(&self, stream: &TcpStream) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            let Piece::Memory(bytes) = piece else { break };
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        match &slices[..count] {
            [one] => stream.try_write(one),
            several => stream.try_write_vectored(several),
        }
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while written > 0 {
            let Some(front) = self.pieces.front_mut() else { return };
            let len = match front {
                Piece::Memory(bytes) => bytes.len(),
                Piece::Region(region) => region.len,
            };
            if written >= len {
                written -= len;
                self.pieces.pop_front();
                continue;
            }
            match front {
                Piece::Memory(bytes) => *bytes = bytes.slice(written..),
                Piece::Region(region) => {
                    region.position += written as u64;
                    region.len -= written;
                }
            }
            return;
        }
    }

    /// Once all is written, the pieces are gone and the tail's memory can be used again.
    fn release_idle_memory(&mut self) {
        if !self.tail.try_reclaim(TAIL_BYTES) || self.tail.capacity() > 4 * TAIL_BYTES {
            self.tail = BytesMut::new();
        }
        if self.pieces.capacity() > SLICES_MAX {
            self.pieces.shrink_to(SLICES_MAX);
        }
    }

    /// Gives all memory back: the connection has become idle.
    pub fn release(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }
}

/// How far [`Output::try_write`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    All,
    /// The socket takes no more now.
    Full,
    /// Much was written: other connections come first.
    TakeTurns,
}

fn send_region(stream: &TcpStream, region: &FileRegion) -> io::Result<usize> {
    let Some(file) = region.file.as_fd() else { return send_by_reading(stream, region) };
    let len = region.len.min(SENDFILE_BYTES_MAX);
    let mut position = region.position;
    let sent = stream.try_io(Interest::WRITABLE, || {
        rustix::fs::sendfile(stream, file, Some(&mut position), len).map_err(io::Error::from)
    })?;
    if sent == 0 {
        // The file is shorter than its index says: the rest of the answer cannot be made.
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(sent)
}

fn send_by_reading(stream: &TcpStream, region: &FileRegion) -> io::Result<usize> {
    let mut buffer = vec![0; region.len.min(READ_STEP_BYTES)];
    fs::read_exact_at(&*region.file, &mut buffer, region.position)?;
    stream.try_write(&buffer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use storage::fs::{Fs, MemFs, OpenMode, RealFs};
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    async fn write_all(output: &mut Output, stream: &TcpStream) {
        loop {
            match output.try_write(stream).unwrap() {
                Written::All => return,
                Written::TakeTurns => {}
                Written::Full => stream.writable().await.unwrap(),
            }
        }
    }

    async fn check(fs: &dyn Fs, path: &Path) {
        let content: Vec<u8> = (0..2_000_000_u32).map(|i| (i % 253) as u8).collect();
        let file = fs.open(path, OpenMode::Create).unwrap();
        fs::write_all_at(&*file, &mut [IoSlice::new(&content)], 0).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, server) = tokio::join!(client, listener.accept());
        let (mut client, server) = (client.unwrap(), server.unwrap().0);

        let mut output = Output::default();
        let mut expected = Vec::new();
        for (position, len) in [(5, 100), (0, 1_900_000), (77, 16 << 10), (99, 20_000)] {
            let memory = vec![position as u8; len / 3];
            expected.extend_from_slice(&memory);
            output.push(Bytes::from(memory));
            expected.extend_from_slice(&content[position..position + len]);
            let region = FileRegion { file: file.clone(), position: position as u64, len };
            output.push_region(region).unwrap();
        }
        assert_eq!(output.bytes(), expected.len());
        let mut received = vec![0; expected.len()];
        let ((), read) =
            tokio::join!(write_all(&mut output, &server), client.read_exact(&mut received));
        read.unwrap();
        assert!(received == expected);
        assert!(output.is_empty());
    }

    #[tokio::test]
    async fn memory_and_files_leave_in_order() {
        let dir = tempfile::tempdir().unwrap();
        check(&RealFs, &dir.path().join("log")).await;
        let memory = MemFs::default();
        memory.create_dir_all(Path::new("/d")).unwrap();
        check(&memory, Path::new("/d/log")).await;
    }

    #[test]
    fn many_small_regions_are_not_all_kept_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealFs.open(&dir.path().join("log"), OpenMode::Create).unwrap();
        fs::write_all_at(&*file, &mut [IoSlice::new(&[1; 1000])], 0).unwrap();
        let mut output = Output::default();
        for _ in 0..5000 {
            let region = FileRegion { file: file.clone(), position: 0, len: 1000 };
            output.push_region(region).unwrap();
        }
        assert_eq!(output.bytes(), 5_000_000);
        let in_memory: usize = output.pieces.iter().map(Piece::memory_bytes).sum();
        assert!(in_memory + output.tail.len() <= READ_BYTES_MAX + READ_REGION_BYTES_MAX);
    }

    #[tokio::test]
    async fn a_file_that_is_too_short_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealFs.open(&dir.path().join("log"), OpenMode::Create).unwrap();
        let mut output = Output::default();
        let region = FileRegion { file, position: 0, len: 10 };
        assert!(output.push_region(region).is_err());
    }
}
