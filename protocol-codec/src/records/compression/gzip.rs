//! gzip (RFC 1952), one member after the other, around raw deflate (RFC 1951).
//!
//! The member's header and trailer are read here, because the inflate context can then be used again: a
//! context that reads gzip by itself cannot be reset.

use std::io::Write;

use bytes::Buf;
use crc_fast::{CrcAlgorithm, Digest};
use flate2::{Decompress, FlushDecompress, Status};

use super::scratch::Scratch;
use super::{CompressError, DecompressError, WINDOW};
use crate::records::Compression;

const HEADER_CRC: u8 = 0x02;
const EXTRA: u8 = 0x04;
const NAME: u8 = 0x08;
const COMMENT: u8 = 0x10;
const RESERVED: u8 = 0xe0;

pub(super) struct Stream<'a> {
    input: &'a [u8],
    // The checksum of the member that is being read, none between members.
    member: Option<Digest>,
    any: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { input, member: None, any: false }
    }

    /// Puts output at the start of the window and returns how much; 0 at the end.
    pub(super) fn fill(&mut self, scratch: &mut Scratch) -> Result<usize, DecompressError> {
        let inflate = scratch.inflate.get_or_insert_with(|| Decompress::new(false));
        let window = Scratch::window_of(&mut scratch.window, WINDOW);
        loop {
            let Some(checksum) = &mut self.member else {
                if self.any && self.input.is_empty() {
                    return Ok(0);
                }
                skip_header(&mut self.input)?;
                inflate.reset(false);
                self.any = true;
                self.member = Some(Digest::new(CrcAlgorithm::Crc32IsoHdlc));
                continue;
            };
            let (read, written) = (inflate.total_in(), inflate.total_out());
            let status = inflate
                .decompress(self.input, window, FlushDecompress::None)
                .map_err(|_| corrupt("invalid deflate data"))?;
            let read = (inflate.total_in() - read) as usize;
            let written = (inflate.total_out() - written) as usize;
            self.input = self.input.get(read..).unwrap_or_default();
            checksum.update(window.get(..written).unwrap_or_default());
            if status == Status::StreamEnd {
                let crc = checksum.finalize() as u32;
                self.member = None;
                check_trailer(&mut self.input, crc, inflate.total_out())?;
            } else if read == 0 && written == 0 {
                return Err(corrupt("the data end too early"));
            }
            if written > 0 {
                return Ok(written);
            }
        }
    }
}

fn check_trailer(input: &mut &[u8], crc: u32, len: u64) -> Result<(), DecompressError> {
    let stored = input.try_get_u32_le().map_err(|_| corrupt("the trailer is missing"))?;
    let size = input.try_get_u32_le().map_err(|_| corrupt("the trailer is missing"))?;
    if stored != crc || size != len as u32 {
        return Err(corrupt("checksum or size differ"));
    }
    Ok(())
}

fn skip_header(input: &mut &[u8]) -> Result<(), DecompressError> {
    let early = || corrupt("the header ends too early");
    let head = input.first_chunk::<10>().ok_or_else(early)?;
    let [0x1f, 0x8b, 8, flags, ..] = *head else {
        return Err(corrupt("the header is not one of gzip"));
    };
    if flags & RESERVED != 0 {
        return Err(corrupt("unknown header flags"));
    }
    input.advance(head.len());
    if flags & EXTRA != 0 {
        let len = usize::from(input.try_get_u16_le().map_err(|_| early())?);
        *input = input.get(len..).ok_or_else(early)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = input.iter().position(|byte| *byte == 0).ok_or_else(early)?;
            *input = input.get(end + 1..).ok_or_else(early)?;
        }
    }
    if flags & HEADER_CRC != 0 {
        input.try_get_u16_le().map_err(|_| early())?;
    }
    Ok(())
}

fn corrupt(reason: &'static str) -> DecompressError {
    DecompressError::Corrupt { kind: Compression::Gzip, reason }
}

/// Appends one member to `output`.
pub(super) fn compress(
    level: Option<i32>,
    input: &[u8],
    output: &mut Vec<u8>,
) -> Result<(), CompressError> {
    let level = level
        .and_then(|level| u32::try_from(level).ok())
        .map_or_else(flate2::Compression::default, flate2::Compression::new);
    let failed = |_| CompressError::Failed { kind: Compression::Gzip };
    let mut encoder = flate2::write::GzEncoder::new(output, level);
    encoder.write_all(input).map_err(failed)?;
    encoder.finish().map_err(failed)?;
    Ok(())
}
