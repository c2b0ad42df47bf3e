//! The bytes of the journal: a header, then frames. Big endian; everything begins at a multiple of
//! [`BLOCK_BYTES`], so that no write touches a page that holds what was promised earlier.
//!
//! ```text
//! header: magic "barnabas-journal" | version u32 | state u32 (0 closed, 1 open) | generation u64
//!         | bytes from u64 | crc32c u32
//! frame:  magic u32 | crc32c u32 of what follows | bytes u32 | entries u32 | generation u64
//!         | sequence u64 | tail u64 | entries
//! entry:  kind u8 | topic bytes u8 | 0 u16 | partition i32 | topic id 16 | leader epoch i32
//!         | bytes u32 | segment base i64 | position u64 | base offset i64 | end offset i64
//!         | topic | bytes
//! ```
//!
//! Frames of another generation are leftovers of an earlier run. `tail` is the oldest frame that
//! still counts. Of frames before `bytes from` only the durable ends count: a replay has been done. Whatever is read is taken for hostile: every length is compared with what is there.

use protocol_codec::Uuid;
use protocol_codec::records::header::crc32c;

/// Where things may begin, and what is written at least.
pub(super) const BLOCK_BYTES: u64 = 4096;
pub(super) const FRAME_HEAD_BYTES: usize = 40;
/// A larger one was not written by us.
pub(super) const FRAME_BYTES_MAX: usize = 8 << 20;

const VERSION: u32 = 1;
const HEADER_MAGIC: &[u8; 16] = b"barnabas-journal";
const HEADER_BYTES: usize = 44;
const FRAME_MAGIC: u32 = 0x424a_f001;

/// The first block of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// False after a clean stop: no frame counts.
    pub(super) is_open: bool,
    pub(super) generation: u64,
    /// The first frame whose bytes may be missing in the partitions' files.
    pub(super) bytes_from: u64,
}

/// Why the first block cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadHeader {
    /// Nothing was ever written, or the very first write was cut off.
    Blank,
    Damaged,
    Newer(u32),
}

impl Header {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut block = Vec::with_capacity(BLOCK_BYTES as usize);
        block.extend_from_slice(HEADER_MAGIC);
        block.extend_from_slice(&VERSION.to_be_bytes());
        block.extend_from_slice(&u32::from(self.is_open).to_be_bytes());
        block.extend_from_slice(&self.generation.to_be_bytes());
        block.extend_from_slice(&self.bytes_from.to_be_bytes());
        let crc = crc32c(&block);
        block.extend_from_slice(&crc.to_be_bytes());
        block.resize(BLOCK_BYTES as usize, 0);
        block
    }

    pub(super) fn decode(block: &[u8]) -> Result<Self, BadHeader> {
        if block.iter().all(|byte| *byte == 0) {
            return Err(BadHeader::Blank);
        }
        let fields = block.get(..HEADER_BYTES - 4).ok_or(BadHeader::Damaged)?;
        let mut reader = Reader(block);
        let magic = reader.take(HEADER_MAGIC.len()).ok_or(BadHeader::Damaged)?;
        let version = reader.u32().ok_or(BadHeader::Damaged)?;
        if magic != HEADER_MAGIC {
            return Err(BadHeader::Damaged);
        }
        if version > VERSION {
            return Err(BadHeader::Newer(version));
        }
        let read = |reader: &mut Reader<'_>| {
            Some((reader.u32()?, reader.u64()?, reader.u64()?, reader.u32()?))
        };
        let (state, generation, bytes_from, crc) = read(&mut reader).ok_or(BadHeader::Damaged)?;
        if crc != crc32c(fields) || state > 1 || version != VERSION {
            return Err(BadHeader::Damaged);
        }
        Ok(Self { is_open: state == 1, generation, bytes_from })
    }
}

/// The fixed beginning of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) crc: u32,
    /// All of the frame without the zeros up to the next block.
    pub(super) bytes: usize,
    pub(super) entries: u32,
    pub(super) generation: u64,
    pub(super) sequence: u64,
    pub(super) tail: u64,
}

impl FrameHead {
    /// `None` if no frame of ours begins here.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.u32()? != FRAME_MAGIC {
            return None;
        }
        let head = Self {
            crc: reader.u32()?,
            bytes: reader.u32()? as usize,
            entries: reader.u32()?,
            generation: reader.u64()?,
            sequence: reader.u64()?,
            tail: reader.u64()?,
        };
        let fits = (FRAME_HEAD_BYTES..=FRAME_BYTES_MAX).contains(&head.bytes);
        (fits && head.tail <= head.sequence).then_some(head)
    }

    /// Whether `frame`, all of its bytes, is what was written.
    pub(super) fn is_whole(&self, frame: &[u8]) -> bool {
        frame.len() == self.bytes && frame.get(8..).is_some_and(|rest| crc32c(rest) == self.crc)
    }
}

/// Fills in the head of a frame whose entries begin at [`FRAME_HEAD_BYTES`], and adds zeros up to
/// the next block.
pub(super) fn finish_frame(
    frame: &mut Vec<u8>,
    entries: u32,
    generation: u64,
    sequence: u64,
    tail: u64,
) {
    let mut head = Vec::with_capacity(FRAME_HEAD_BYTES);
    head.extend_from_slice(&FRAME_MAGIC.to_be_bytes());
    head.extend_from_slice(&[0; 4]);
    head.extend_from_slice(&(frame.len() as u32).to_be_bytes());
    head.extend_from_slice(&entries.to_be_bytes());
    for number in [generation, sequence, tail] {
        head.extend_from_slice(&number.to_be_bytes());
    }
    if let Some(place) = frame.get_mut(..FRAME_HEAD_BYTES) {
        place.copy_from_slice(&head);
    }
    let crc = frame.get(8..).map_or(0, crc32c);
    if let Some(place) = frame.get_mut(4..8) {
        place.copy_from_slice(&crc.to_be_bytes());
    }
    frame.resize(in_blocks(frame.len()) as usize, 0);
}

/// `bytes` rounded up to whole blocks.
pub(super) fn in_blocks(bytes: usize) -> u64 {
    (bytes as u64).next_multiple_of(BLOCK_BYTES)
}

/// What an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Bytes of a segment.
    Bytes = 1,
    /// Everything before the end offset is durable; no bytes.
    Note = 2,
    /// Earlier entries of segments before the segment base no longer count: their files may have
    /// been cut or replaced. The end offset is what is durable from now on.
    Forget = 3,
}

/// What an entry says, beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryHead<'a> {
    pub(super) kind: Kind,
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) topic_id: Uuid,
    pub(super) leader_epoch: i32,
    pub(super) segment_base: i64,
    pub(super) position: u64,
    pub(super) base_offset: i64,
    pub(super) end_offset: i64,
}

impl EntryHead<'_> {
    const FIXED_BYTES: usize = 64;

    /// Bytes in a frame, with `bytes` of the segment.
    pub(super) fn size(&self, bytes: usize) -> usize {
        Self::FIXED_BYTES + self.topic.len() + bytes
    }

    /// Adds the entry without its bytes, which the caller adds: as many as it says here.
    pub(super) fn encode(&self, bytes: usize, frame: &mut Vec<u8>) {
        frame.push(self.kind as u8);
        frame.push(self.topic.len() as u8);
        frame.extend_from_slice(&[0; 2]);
        frame.extend_from_slice(&self.partition.to_be_bytes());
        frame.extend_from_slice(self.topic_id.as_bytes());
        frame.extend_from_slice(&self.leader_epoch.to_be_bytes());
        frame.extend_from_slice(&(bytes as u32).to_be_bytes());
        frame.extend_from_slice(&self.segment_base.to_be_bytes());
        frame.extend_from_slice(&self.position.to_be_bytes());
        frame.extend_from_slice(&self.base_offset.to_be_bytes());
        frame.extend_from_slice(&self.end_offset.to_be_bytes());
        frame.extend_from_slice(self.topic.as_bytes());
    }
}

/// The entries of a frame whose checksum was compared. Ends early, with an error, where they make
/// no sense.
pub(super) fn entries<'a>(
    head: &FrameHead,
    frame: &'a [u8],
) -> Result<Vec<Entry<'a>>, &'static str> {
    let mut reader = Reader(frame.get(FRAME_HEAD_BYTES..).unwrap_or_default());
    let mut entries = Vec::new();
    for _ in 0..head.entries {
        entries.push(reader.entry().ok_or("an entry makes no sense")?);
    }
    if reader.0.is_empty() { Ok(entries) } else { Err("there are bytes behind the last entry") }
}

/// An entry with its bytes.
pub(super) type Entry<'a> = (EntryHead<'a>, &'a [u8]);

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    fn entry(&mut self) -> Option<Entry<'a>> {
        let [kind, topic_bytes, _, _] = self.array()?;
        let kind = match kind {
            1 => Kind::Bytes,
            2 => Kind::Note,
            3 => Kind::Forget,
            _ => return None,
        };
        let partition = self.i32()?;
        let topic_id = Uuid::from_bytes(self.array()?);
        let leader_epoch = self.i32()?;
        let bytes = self.u32()? as usize;
        let (segment_base, position) = (self.i64()?, self.u64()?);
        let (base_offset, end_offset) = (self.i64()?, self.i64()?);
        let topic = std::str::from_utf8(self.take(usize::from(topic_bytes))?).ok()?;
        let bytes = self.take(bytes)?;
        let head = EntryHead {
            kind,
            topic,
            partition,
            topic_id,
            leader_epoch,
            segment_base,
            position,
            base_offset,
            end_offset,
        };
        Some((head, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind, topic: &str) -> EntryHead<'_> {
        EntryHead {
            kind,
            topic,
            partition: 3,
            topic_id: Uuid::ONE,
            leader_epoch: 7,
            segment_base: 100,
            position: 4242,
            base_offset: 110,
            end_offset: 120,
        }
    }

    fn frame() -> Vec<u8> {
        let mut frame = vec![0; FRAME_HEAD_BYTES];
        entry(Kind::Bytes, "orders").encode(5, &mut frame);
        frame.extend_from_slice(b"bytes");
        entry(Kind::Note, "o").encode(0, &mut frame);
        finish_frame(&mut frame, 2, 99, 12, 10);
        frame
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let frame = frame();
        assert_eq!(frame.len() as u64, BLOCK_BYTES);
        let head = FrameHead::decode(&frame).unwrap();
        assert_eq!((head.entries, head.generation, head.sequence, head.tail), (2, 99, 12, 10));
        let frame = &frame[..head.bytes];
        assert!(head.is_whole(frame));
        let entries = entries(&head, frame).unwrap();
        assert_eq!(entries[0], (entry(Kind::Bytes, "orders"), &b"bytes"[..]));
        assert_eq!(entries[1], (entry(Kind::Note, "o"), &b""[..]));
        let size = entries.iter().map(|(head, bytes)| head.size(bytes.len())).sum::<usize>();
        assert_eq!(size + FRAME_HEAD_BYTES, frame.len());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = frame();
        let bytes = FrameHead::decode(&good).unwrap().bytes;
        for bit in 0..bytes * 8 {
            let mut frame = good.clone();
            frame[bit / 8] ^= 1 << (bit % 8);
            let is_good = FrameHead::decode(&frame)
                .is_some_and(|head| frame.get(..head.bytes).is_some_and(|f| head.is_whole(f)));
            assert!(!is_good, "bit {bit}");
        }
    }

    #[test]
    fn entries_that_make_no_sense_are_an_error() {
        for damage in [(40, 9), (41, 255), (71, 255)] {
            let mut frame = frame();
            let head = FrameHead::decode(&frame).unwrap();
            frame[damage.0] = damage.1;
            assert!(entries(&head, &frame[..head.bytes]).is_err(), "{damage:?}");
        }
    }

    #[test]
    fn a_header_is_old_new_blank_or_damaged() {
        let header = Header { is_open: true, generation: 5, bytes_from: 7 };
        let block = header.encode();
        assert_eq!(Header::decode(&block), Ok(header));
        assert_eq!(Header::decode(&[0; 4096]), Err(BadHeader::Blank));
        assert_eq!(Header::decode(&[]), Err(BadHeader::Blank));
        for bit in 0..HEADER_BYTES * 8 {
            let mut block = block.clone();
            block[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&block).is_err(), "bit {bit}");
        }
        let mut newer = block;
        newer[19] = 2;
        assert_eq!(Header::decode(&newer), Err(BadHeader::Newer(2)));
    }
}
