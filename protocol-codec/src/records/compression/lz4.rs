//! LZ4 frames, as far as Kafka's own reader goes: independent blocks, no dictionary.
//!
//! ```text
//! 04 22 4d 18   magic
//! FLG           bits 7-6 version 01, 5 blocks are independent, 4 block checksums, 3 content size,
//!               2 content checksum, 1-0 reserved
//! BD            bits 6-4: largest block 4: 64 KiB, 5: 256 KiB, 6: 1 MiB, 7: 4 MiB
//! content size  8 bytes, if FLG says so
//! HC            second byte of the xxHash-32 of FLG to here
//! blocks        int32 length (highest bit: stored), data, xxHash-32 of the data if FLG says so
//! int32 0       end
//! xxHash-32     of the output, if FLG says so
//! ```
//!
//! Integers are little-endian. Frames of linked blocks are refused, as Kafka refuses them: no Java consumer
//! could read them.

use std::hash::Hasher;

use bytes::Buf;
use twox_hash::XxHash32;

use super::scratch::Scratch;
use super::{CompressError, DecompressError};
use crate::records::Compression;

const MAGIC: u32 = 0x184d_2204;
const STORED: u32 = 0x8000_0000;
/// The densest sequence gives 255 bytes of output for one byte of input; a few more start a block.
const MAX_RATIO: usize = 255;
const RATIO_SLACK: usize = 64;

pub(super) struct Stream<'a> {
    input: &'a [u8],
    max_block: usize,
    block_checksums: bool,
    content_checksum: Option<XxHash32>,
    finished: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(mut input: &'a [u8]) -> Result<Self, DecompressError> {
        let early = |_| corrupt("the data end too early");
        if input.try_get_u32_le().map_err(early)? != MAGIC {
            return Err(corrupt("the magic is not one of an lz4 frame"));
        }
        let descriptor = input;
        let flags = input.try_get_u8().map_err(early)?;
        let block = input.try_get_u8().map_err(early)?;
        if flags >> 6 != 1 || flags & 0x03 != 0 || block & 0x8f != 0 {
            return Err(corrupt("unknown version or reserved bits"));
        }
        if flags & 0x20 == 0 {
            return Err(corrupt("dependent blocks are not supported"));
        }
        let max_block = match block >> 4 {
            size @ 4..=7 => 1 << (8 + 2 * usize::from(size)),
            _ => return Err(corrupt("unknown block size")),
        };
        if flags & 0x08 != 0 {
            input.try_get_u64_le().map_err(early)?;
        }
        let checked = descriptor.get(..descriptor.len() - input.len()).unwrap_or_default();
        let hash = (XxHash32::oneshot(0, checked) >> 8) as u8;
        if input.try_get_u8().map_err(early)? != hash {
            return Err(corrupt("the frame descriptor is corrupt"));
        }
        Ok(Self {
            input,
            max_block,
            block_checksums: flags & 0x10 != 0,
            content_checksum: (flags & 0x04 != 0).then(|| XxHash32::with_seed(0)),
            finished: false,
        })
    }

    /// Puts one block's output at the start of the window and returns how much; 0 at the end.
    pub(super) fn fill(&mut self, scratch: &mut Scratch) -> Result<usize, DecompressError> {
        while !self.finished {
            let field = self.get_u32()?;
            let len = (field & !STORED) as usize;
            if len == 0 {
                self.finish()?;
                break;
            }
            if len > self.max_block {
                return Err(corrupt("a block is larger than the frame allows"));
            }
            let (data, rest) =
                self.input.split_at_checked(len).ok_or_else(|| corrupt("a block is cut"))?;
            self.input = rest;
            if self.block_checksums && self.get_u32()? != XxHash32::oneshot(0, data) {
                return Err(corrupt("block checksum mismatch"));
            }
            let written = self.decode(data, field & STORED != 0, scratch)?;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }

    fn decode(
        &mut self,
        data: &[u8],
        stored: bool,
        scratch: &mut Scratch,
    ) -> Result<usize, DecompressError> {
        let written = if stored {
            Scratch::window_of(&mut scratch.window, data.len()).copy_from_slice(data);
            data.len()
        } else {
            // A small block of a frame with large blocks must not make the window large.
            let most = self.max_block.min(data.len() * MAX_RATIO + RATIO_SLACK);
            let window = Scratch::window_of(&mut scratch.window, most);
            lz4_flex::block::decompress_into(data, window).map_err(|_| corrupt("invalid block"))?
        };
        if let Some(checksum) = &mut self.content_checksum {
            checksum.write(scratch.window.get(..written).unwrap_or_default());
        }
        Ok(written)
    }

    fn finish(&mut self) -> Result<(), DecompressError> {
        self.finished = true;
        if let Some(checksum) = self.content_checksum.take()
            && self.get_u32()? != checksum.finish_32()
        {
            return Err(corrupt("content checksum mismatch"));
        }
        if self.input.is_empty() { Ok(()) } else { Err(corrupt("data after the frame")) }
    }

    fn get_u32(&mut self) -> Result<u32, DecompressError> {
        self.input.try_get_u32_le().map_err(|_| corrupt("the data end too early"))
    }
}

fn corrupt(reason: &'static str) -> DecompressError {
    DecompressError::Corrupt { kind: Compression::Lz4, reason }
}

/// Appends a frame of independent 64 KiB blocks without checksums to `output`, as Kafka's clients do.
pub(super) fn compress(input: &[u8], output: &mut Vec<u8>) -> Result<(), CompressError> {
    const BLOCK: usize = 64 * 1024;
    const DESCRIPTOR: [u8; 2] = [0x60, 0x40];
    output.extend_from_slice(&MAGIC.to_le_bytes());
    output.extend_from_slice(&DESCRIPTOR);
    output.push((XxHash32::oneshot(0, &DESCRIPTOR) >> 8) as u8);
    let failed = CompressError::Failed { kind: Compression::Lz4 };
    let mut block = vec![0; lz4_flex::block::get_maximum_output_size(BLOCK)];
    for piece in input.chunks(BLOCK) {
        let len = lz4_flex::block::compress_into(piece, &mut block).map_err(|_| failed)?;
        let (field, data) = if len < piece.len() {
            (len as u32, block.get(..len).ok_or(failed)?)
        } else {
            (piece.len() as u32 | STORED, piece)
        };
        output.extend_from_slice(&field.to_le_bytes());
        output.extend_from_slice(data);
    }
    output.extend_from_slice(&[0; 4]);
    Ok(())
}
