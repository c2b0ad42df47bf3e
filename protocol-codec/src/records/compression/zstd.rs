//! zstd frames (RFC 8878), one after the other.

use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, compress_bound,
};

use super::scratch::Scratch;
use super::{CompressError, DecompressError, WINDOW};
use crate::records::Compression;

/// The largest window of a frame, as a power of two: 128 MiB, zstd's own default and the limit of every Kafka
/// client. The memory is not touched before output fills it, so the output budget bounds it too.
const MAX_WINDOW_LOG: u32 = 27;
/// The level of Kafka's `compression.zstd.level` when it is not set.
const DEFAULT_LEVEL: i32 = 3;

pub(super) struct Stream<'a> {
    input: &'a [u8],
    inside_frame: bool,
    // The window was filled to its end, so the context may hold more.
    more: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(input: &'a [u8], scratch: &mut Scratch) -> Result<Self, DecompressError> {
        let context = match &mut scratch.zstd {
            Some(context) => context,
            none => none.insert(DCtx::create()),
        };
        let ready = context
            .reset(ResetDirective::SessionOnly)
            .and_then(|_| context.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG)));
        ready.map_err(|_| corrupt("the context cannot be used"))?;
        Ok(Self { input, inside_frame: true, more: false })
    }

    /// Puts output at the start of the window and returns how much; 0 at the end.
    pub(super) fn fill(&mut self, scratch: &mut Scratch) -> Result<usize, DecompressError> {
        let Scratch { window, zstd: Some(context), .. } = scratch else {
            return Err(corrupt("the context is missing"));
        };
        let window = Scratch::window_of(window, WINDOW);
        while !self.input.is_empty() || self.more {
            let mut from = InBuffer::around(self.input);
            let mut to = OutBuffer::around(&mut *window);
            let hint = context
                .decompress_stream(&mut to, &mut from)
                .map_err(|code| corrupt(zstd::zstd_safe::get_error_name(code)))?;
            let (read, written) = (from.pos(), to.pos());
            self.input = self.input.get(read..).unwrap_or_default();
            self.inside_frame = hint != 0;
            self.more = self.inside_frame && written == WINDOW;
            if written > 0 {
                return Ok(written);
            }
            if read == 0 {
                break;
            }
        }
        if self.inside_frame { Err(corrupt("the data end too early")) } else { Ok(0) }
    }
}

fn corrupt(reason: &'static str) -> DecompressError {
    DecompressError::Corrupt { kind: Compression::Zstd, reason }
}

/// Appends one frame to `output`.
pub(super) fn compress(
    level: Option<i32>,
    input: &[u8],
    output: &mut Vec<u8>,
) -> Result<(), CompressError> {
    let mut scratch = super::scratch::take();
    let context = scratch.zstd_compress.get_or_insert_with(CCtx::create);
    let start = output.len();
    output.reserve(compress_bound(input.len()));
    let done = context
        .reset(ResetDirective::SessionAndParameters)
        .and_then(|_| {
            let level = CParameter::CompressionLevel(level.unwrap_or(DEFAULT_LEVEL));
            context.set_parameter(level)
        })
        .and_then(|_| {
            let mut to = OutBuffer::around_pos(output, start);
            let mut from = InBuffer::around(input);
            let end = zstd::zstd_safe::zstd_sys::ZSTD_EndDirective::ZSTD_e_end;
            context.compress_stream2(&mut to, &mut from, end)
        });
    super::scratch::give_back(scratch);
    // Anything but 0 would be bytes for which the bound above left no room.
    if done == Ok(0) { Ok(()) } else { Err(CompressError::Failed { kind: Compression::Zstd }) }
}
