//! What decompression keeps between batches, one set per thread.
//!
//! A set is taken while a batch is decompressed and given back afterwards. Buffers and contexts that an
//! unusual batch made large are dropped then, so that they do not stay for ever.

use std::cell::Cell;

use flate2::Decompress;
use zstd::zstd_safe::{CCtx, DCtx};

/// The largest window that is kept: a batch of raw snappy, or an lz4 block of 1 MiB.
const KEPT_WINDOW: usize = 1024 * 1024;
/// The largest zstd context that is kept: Java's default level needs 2.3 MiB.
const KEPT_ZSTD: usize = 4 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Scratch {
    /// Initialised output space; grown by `window_of`.
    pub(super) window: Vec<u8>,
    pub(super) inflate: Option<Decompress>,
    pub(super) zstd: Option<DCtx<'static>>,
    pub(super) zstd_compress: Option<CCtx<'static>>,
}

impl Scratch {
    /// The first `len` bytes of the window, which grows if it must.
    pub(super) fn window_of(window: &mut Vec<u8>, len: usize) -> &mut [u8] {
        if window.len() < len {
            window.resize(len, 0);
        }
        window.get_mut(..len).unwrap_or_default()
    }
}

thread_local! {
    static KEPT: Cell<Option<Scratch>> = const { Cell::new(None) };
}

/// This thread's set, or a new one if it is in use.
pub(super) fn take() -> Scratch {
    KEPT.try_with(Cell::take).ok().flatten().unwrap_or_default()
}

/// Keeps `scratch` for the next batch on this thread.
pub(super) fn give_back(mut scratch: Scratch) {
    if scratch.window.len() > KEPT_WINDOW {
        scratch.window = Vec::new();
    }
    if scratch.zstd.as_ref().is_some_and(|context| context.sizeof() > KEPT_ZSTD) {
        scratch.zstd = None;
    }
    if scratch.zstd_compress.as_ref().is_some_and(|context| context.sizeof() > KEPT_ZSTD) {
        scratch.zstd_compress = None;
    }
    // While the thread ends there is nothing to give back to.
    let _ = KEPT.try_with(|kept| kept.set(Some(scratch)));
}
