//! What a journal's file holds, told frame by frame: for `barnabas log dump`. It reads only.

use std::path::Path;

use protocol_codec::Uuid;

use super::JournalError;
use super::format::{self, Kind};
use super::replay::{self, Replay};
use crate::fs::Fs;

/// Something in a journal, in the order it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed<'a> {
    Header {
        /// False after a clean stop: nothing in the file counts.
        is_open: bool,
        generation: u64,
        /// The first frame whose bytes a start writes back.
        bytes_from: u64,
    },
    Frame {
        position: u64,
        sequence: u64,
        /// The oldest frame that counted when this one was written.
        tail: u64,
        bytes: usize,
        /// A start after an unclean stop goes by it.
        counts: bool,
    },
    /// One of the frame before.
    Entry {
        kind: &'static str,
        topic: &'a str,
        partition: i32,
        topic_id: Uuid,
        leader_epoch: i32,
        segment_base: i64,
        position: u64,
        bytes: usize,
        base_offset: i64,
        end_offset: i64,
    },
}

/// Tells `visit` of everything in the journal `path`. Frames of earlier runs are left out. Returns
/// false if nothing was ever written to it.
///
/// # Errors
/// It cannot be read, or is damaged, which is told after all that can be read; or of `visit`.
pub fn list<E: From<JournalError>>(
    fs: &dyn Fs,
    path: &Path,
    visit: &mut dyn FnMut(Listed<'_>) -> Result<(), E>,
) -> Result<bool, E> {
    let Some(header) = replay::read_header(fs, path)? else { return Ok(false) };
    let format::Header { is_open, generation, bytes_from } = header;
    visit(Listed::Header { is_open, generation, bytes_from })?;
    let dir = path.parent().unwrap_or(path);
    let replay = Replay::open(fs, dir, path)?;
    let frames = replay.scan(generation)?;
    let tail = frames.values().next_back().map_or(0, |newest| newest.head.tail);
    let mut frame = Vec::new();
    for found in frames.values() {
        let head = found.head;
        visit(Listed::Frame {
            position: found.position,
            sequence: head.sequence,
            tail: head.tail,
            bytes: head.bytes,
            counts: is_open && head.sequence >= tail,
        })?;
        replay.read(found, &mut frame)?;
        let entries = format::entries(&head, &frame).map_err(|_| replay.damaged(found.position))?;
        for (entry, bytes) in entries {
            visit(Listed::Entry {
                kind: match entry.kind {
                    Kind::Bytes => "bytes",
                    Kind::Note => "note",
                    Kind::Forget => "forget",
                },
                topic: entry.topic,
                partition: entry.partition,
                topic_id: entry.topic_id,
                leader_epoch: entry.leader_epoch,
                segment_base: entry.segment_base,
                position: entry.position,
                bytes: bytes.len(),
                base_offset: entry.base_offset,
                end_offset: entry.end_offset,
            })?;
        }
    }
    if is_open {
        // Says if one is missing among those that count.
        replay.find(generation)?;
    }
    Ok(true)
}
