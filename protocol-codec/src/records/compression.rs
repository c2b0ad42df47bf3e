//! Compression and decompression of the records of a batch.
//!
//! Decompression is streamed: a [`Decompressor`] shows one window of output after the other and keeps
//! nothing behind it, so a batch is checked in memory that does not grow with what it claims to contain.
//! What bounds it:
//!
//! | codec | memory beside the input |
//! |---|---|
//! | gzip | a 64 KiB window and inflate's 32 KiB history |
//! | snappy, framed | one frame (32 KiB from Java); its declared length is checked first |
//! | snappy, raw | the whole output: at most 22 times the input, its declared length is checked first |
//! | lz4 | one block: 64 KiB from Kafka's clients, at most 4 MiB |
//! | zstd | a 64 KiB window and the frame's own window, at most the output so far and at most 128 MiB |
//!
//! and in every case the output budget: the first window beyond it is an error. Contexts and windows are kept
//! per thread between batches (up to a few MiB, see `scratch`), so that a batch that is like the one before
//! allocates nothing.
//!
//! What is accepted is what Kafka's own consumer can read. Bytes after the end of the compressed data are
//! refused, where Kafka ignores some of them: other clients trip over those.

use thiserror::Error;

use super::header::Compression;
use scratch::Scratch;

mod gzip;
mod lz4;
mod scratch;
mod snappy;
mod zstd;

/// Bytes of output that codecs without blocks of their own produce at a time.
const WINDOW: usize = 64 * 1024;

/// Why compressed bytes could not be decompressed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DecompressError {
    /// The bytes are not what the codec writes.
    #[error("failed to decompress {}: {reason}", kind.name())]
    Corrupt {
        /// The codec.
        kind: Compression,
        /// What is wrong.
        reason: &'static str,
    },
    /// More output than allowed.
    #[error("the records decompress to more than {limit} bytes")]
    TooLarge {
        /// The budget in bytes.
        limit: usize,
    },
}

/// Why bytes could not be compressed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CompressError {
    /// The level is not one of this codec.
    #[error("compression level {level} is not valid for {}", kind.name())]
    Level {
        /// The codec.
        kind: Compression,
        /// The level asked for.
        level: i32,
    },
    /// The codec failed; in practice it had no memory.
    #[error("failed to compress with {}", kind.name())]
    Failed {
        /// The codec.
        kind: Compression,
    },
}

#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack; a box would allocate")]
enum Stream<'a> {
    Plain(&'a [u8]),
    Gzip(gzip::Stream<'a>),
    Snappy(snappy::Stream<'a>),
    Lz4(lz4::Stream<'a>),
    Zstd(zstd::Stream<'a>),
}

/// Reads decompressed bytes, one window at a time.
pub struct Decompressor<'a> {
    stream: Stream<'a>,
    scratch: Scratch,
    // The part of the scratch window that was produced and not consumed yet.
    start: usize,
    end: usize,
    produced: usize,
    limit: usize,
}

impl std::fmt::Debug for Decompressor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decompressor")
            .field("produced", &self.produced)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl<'a> Decompressor<'a> {
    /// Starts on `input`, all of it, of which at most `limit` bytes may come out.
    ///
    /// # Errors
    /// The input does not begin as the codec's data do.
    pub fn new(kind: Compression, input: &'a [u8], limit: usize) -> Result<Self, DecompressError> {
        let mut scratch = scratch::take();
        let stream = match kind {
            Compression::None => Stream::Plain(input),
            Compression::Gzip => Stream::Gzip(gzip::Stream::new(input)),
            Compression::Snappy => Stream::Snappy(snappy::Stream::new(input)?),
            Compression::Lz4 => Stream::Lz4(lz4::Stream::new(input)?),
            Compression::Zstd => Stream::Zstd(zstd::Stream::new(input, &mut scratch)?),
        };
        Ok(Self { stream, scratch, start: 0, end: 0, produced: 0, limit })
    }

    /// The bytes that were produced and not consumed; produces more if there are none. Empty at the end.
    ///
    /// # Errors
    /// `Corrupt` and `TooLarge`; the decompressor is of no use then.
    #[inline]
    pub fn window(&mut self) -> Result<&[u8], DecompressError> {
        if self.start == self.end {
            self.fill()?;
        }
        Ok(match &self.stream {
            Stream::Plain(input) => input,
            _ => self.scratch.window.get(self.start..self.end).unwrap_or_default(),
        })
    }

    /// Marks `count` bytes of the window as read; at most the length of the window.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        match &mut self.stream {
            Stream::Plain(input) => *input = input.get(count..).unwrap_or_default(),
            _ => self.start = self.end.min(self.start + count),
        }
    }

    /// Bytes produced so far.
    #[must_use]
    pub const fn produced(&self) -> usize {
        self.produced
    }

    #[cold]
    fn fill(&mut self) -> Result<(), DecompressError> {
        let room = self.limit - self.produced;
        let produced = match &mut self.stream {
            // What is not compressed is its own window, counted when it is first seen.
            Stream::Plain(input) => {
                return if self.produced > 0 || input.len() <= room {
                    self.produced = self.produced.max(input.len());
                    Ok(())
                } else {
                    Err(DecompressError::TooLarge { limit: self.limit })
                };
            }
            Stream::Gzip(stream) => stream.fill(&mut self.scratch),
            Stream::Snappy(stream) => stream.fill(&mut self.scratch, room),
            Stream::Lz4(stream) => stream.fill(&mut self.scratch),
            Stream::Zstd(stream) => stream.fill(&mut self.scratch),
        }?;
        if produced > room {
            return Err(DecompressError::TooLarge { limit: self.limit });
        }
        self.produced += produced;
        (self.start, self.end) = (0, produced);
        Ok(())
    }
}

impl Drop for Decompressor<'_> {
    fn drop(&mut self) {
        scratch::give_back(std::mem::take(&mut self.scratch));
    }
}

/// Decompresses all of `input`, which must not give more than `limit` bytes.
///
/// # Errors
/// `Corrupt` and `TooLarge`.
pub fn decompress(
    kind: Compression,
    input: &[u8],
    limit: usize,
) -> Result<Vec<u8>, DecompressError> {
    let mut decompressor = Decompressor::new(kind, input, limit)?;
    let mut output = Vec::new();
    loop {
        let window = decompressor.window()?;
        if window.is_empty() {
            return Ok(output);
        }
        output.extend_from_slice(window);
        let count = window.len();
        decompressor.consume(count);
    }
}

/// Whether `level` is one of `kind`: 1-9 for gzip (and -1, its default), 1-17 for lz4, -131072-22 for zstd.
#[must_use]
pub fn is_valid_level(kind: Compression, level: i32) -> bool {
    match kind {
        Compression::None | Compression::Snappy => false,
        Compression::Gzip => level == -1 || (1..=9).contains(&level),
        Compression::Lz4 => (1..=17).contains(&level),
        Compression::Zstd => (-131_072..=22).contains(&level),
    }
}

/// Compresses `input` as Kafka's clients do and appends the result to `output`.
///
/// Without a level it is the codec's default. lz4 has one level here: the others of Kafka are accepted and
/// compress the same.
///
/// # Errors
/// `Level`, and `Failed` if the codec does.
pub fn compress(
    kind: Compression,
    level: Option<i32>,
    input: &[u8],
    output: &mut Vec<u8>,
) -> Result<(), CompressError> {
    if let Some(level) = level.filter(|level| !is_valid_level(kind, *level)) {
        return Err(CompressError::Level { kind, level });
    }
    match kind {
        Compression::None => {
            output.extend_from_slice(input);
            Ok(())
        }
        Compression::Gzip => gzip::compress(level, input, output),
        Compression::Snappy => snappy::compress(input, output),
        Compression::Lz4 => lz4::compress(input, output),
        Compression::Zstd => zstd::compress(level, input, output),
    }
}

#[cfg(test)]
mod tests;
