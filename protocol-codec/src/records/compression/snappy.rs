//! Snappy: raw, and in the frames of snappy-java, which Kafka's clients write.
//!
//! ```text
//! 0x82 "SNAPPY" 0x00   magic
//! int32 version = 1, int32 lowest compatible version = 1
//! then, to the end: int32 length, raw snappy of that length
//! ```
//!
//! Integers are big-endian. The magic may come again where a length is expected: outputs were joined.

use bytes::Buf;

use super::scratch::Scratch;
use super::{CompressError, DecompressError};
use crate::records::Compression;

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSION: i32 = 1;
/// Bytes of input in a frame that we write; snappy-java's default.
const FRAME: usize = 32 * 1024;

pub(super) struct Stream<'a> {
    input: &'a [u8],
    framed: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(mut input: &'a [u8]) -> Result<Self, DecompressError> {
        if input.is_empty() {
            return Err(corrupt("no data"));
        }
        let framed = skip_frame_header(&mut input)?;
        Ok(Self { input, framed })
    }

    /// Puts one frame's output at the start of the window and returns how much; 0 at the end. Refuses a
    /// frame that declares more than `room` before anything is allocated.
    pub(super) fn fill(
        &mut self,
        scratch: &mut Scratch,
        room: usize,
    ) -> Result<usize, DecompressError> {
        while let Some(frame) = self.next_frame()? {
            let declared = declared_len(frame)?;
            if declared > room {
                // The caller turns more than there is room for into the right error.
                return Ok(declared);
            }
            let window = Scratch::window_of(&mut scratch.window, declared);
            let written = snap::raw::Decoder::new()
                .decompress(frame, window)
                .map_err(|_| corrupt("invalid data"))?;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }

    fn next_frame(&mut self) -> Result<Option<&'a [u8]>, DecompressError> {
        if !self.framed {
            let whole = std::mem::take(&mut self.input);
            return Ok((!whole.is_empty()).then_some(whole));
        }
        while skip_frame_header(&mut self.input)? {}
        if self.input.is_empty() {
            return Ok(None);
        }
        let length = self.input.try_get_i32().map_err(|_| corrupt("a frame's length is cut"))?;
        let length =
            usize::try_from(length).map_err(|_| corrupt("a frame's length is negative"))?;
        let (frame, rest) =
            self.input.split_at_checked(length).ok_or_else(|| corrupt("a frame is cut"))?;
        self.input = rest;
        Ok(Some(frame))
    }
}

fn skip_frame_header(input: &mut &[u8]) -> Result<bool, DecompressError> {
    let Some(mut rest) = input.strip_prefix(&MAGIC) else { return Ok(false) };
    let version = rest.try_get_i32().map_err(|_| corrupt("the frame header is cut"))?;
    rest.try_get_i32().map_err(|_| corrupt("the frame header is cut"))?;
    if version < VERSION {
        return Err(corrupt("unknown version of the frames"));
    }
    *input = rest;
    Ok(true)
}

fn declared_len(frame: &[u8]) -> Result<usize, DecompressError> {
    let declared = snap::raw::decompress_len(frame).map_err(|_| corrupt("invalid length"))?;
    // The densest element is a copy of 64 bytes in 3, so more than 22 times the input is a lie.
    if declared > frame.len().saturating_mul(22) {
        return Err(corrupt("the declared length is more than the data can hold"));
    }
    Ok(declared)
}

fn corrupt(reason: &'static str) -> DecompressError {
    DecompressError::Corrupt { kind: Compression::Snappy, reason }
}

/// Appends frames to `output`.
pub(super) fn compress(input: &[u8], output: &mut Vec<u8>) -> Result<(), CompressError> {
    output.extend_from_slice(&MAGIC);
    output.extend_from_slice(&VERSION.to_be_bytes());
    output.extend_from_slice(&VERSION.to_be_bytes());
    let failed = CompressError::Failed { kind: Compression::Snappy };
    let mut encoder = snap::raw::Encoder::new();
    let mut frame = vec![0; snap::raw::max_compress_len(FRAME)];
    for piece in input.chunks(FRAME) {
        let len = encoder.compress(piece, &mut frame).map_err(|_| failed)?;
        let length = i32::try_from(len).map_err(|_| failed)?;
        output.extend_from_slice(&length.to_be_bytes());
        output.extend_from_slice(frame.get(..len).ok_or(failed)?);
    }
    Ok(())
}
