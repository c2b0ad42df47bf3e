//! Keys and values of the sled tree; the layout is described in [`super`].

use raft::eraftpb::Entry;

use super::snapshot::checksum;
use crate::image::LogPosition;

/// Entry data is cut into pieces of this size: with their frame they stay below 64 KiB.
pub(super) const PIECE_SIZE_MAX: usize = 60 * 1024;

pub(super) const ENTRY_PREFIX: u8 = b'E';

const CRC_SIZE: usize = 4;

#[derive(Debug)]
pub(super) enum Key {
    Format,
    HardState,
    Truncated,
    Entry { index: u64, part: u16 },
}

impl Key {
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Key::Format => vec![b'F'],
            Key::HardState => vec![b'H'],
            Key::Truncated => vec![b'T'],
            Key::Entry { index, part } => {
                let mut bytes = vec![ENTRY_PREFIX];
                bytes.extend_from_slice(&index.to_be_bytes());
                bytes.extend_from_slice(&part.to_be_bytes());
                bytes
            }
        }
    }
}

/// Index and part of an entry's key.
pub(super) fn entry_key(key: &[u8]) -> Option<(u64, u16)> {
    let (index, part) = key.strip_prefix(&[ENTRY_PREFIX])?.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*index), u16::from_be_bytes(part.try_into().ok()?)))
}

/// Adds a value, with its checksum, to a batch.
pub(super) fn put(batch: &mut sled::Batch, key: &Key, value: &[u8]) {
    let key = key.bytes();
    let mut bytes = Vec::with_capacity(value.len() + CRC_SIZE);
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(&crc(&key, value).to_le_bytes());
    batch.insert(key, bytes);
}

/// A stored value without its checksum, or what is wrong with it.
pub(super) fn checked<'a>(key: &[u8], stored: &'a [u8]) -> Result<&'a [u8], String> {
    let Some((value, stored)) = stored.split_last_chunk::<CRC_SIZE>() else {
        return Err(format!("the value of {} is too short", name(key)));
    };
    let (stored, computed) = (u32::from_le_bytes(*stored), crc(key, value));
    if stored != computed {
        return Err(format!(
            "the checksum of {} is {computed:08x} but should be {stored:08x}",
            name(key)
        ));
    }
    Ok(value)
}

fn crc(key: &[u8], value: &[u8]) -> u32 {
    checksum(&[key, value].concat())
}

fn name(key: &[u8]) -> String {
    match (key, entry_key(key)) {
        (_, Some((index, part))) => format!("entry {index} part {part}"),
        (b"F", _) => "the format".to_owned(),
        (b"H", _) => "term and vote".to_owned(),
        (b"T", _) => "the start of the log".to_owned(),
        (other, _) => format!("the key {other:?}"),
    }
}

/// Adds all pieces of an entry and returns how many they are; `None` when that is too many.
pub(super) fn put_entry(batch: &mut sled::Batch, entry: &Entry) -> Option<u16> {
    let pieces = u16::try_from(entry.data.len().div_ceil(PIECE_SIZE_MAX).max(1)).ok()?;
    for part in 0..pieces {
        let start = usize::from(part) * PIECE_SIZE_MAX;
        let end = (start + PIECE_SIZE_MAX).min(entry.data.len());
        let mut value = Vec::with_capacity(10 + end - start);
        value.extend_from_slice(&pieces.to_le_bytes());
        value.extend_from_slice(&entry.term.to_le_bytes());
        value.extend_from_slice(&entry.data[start..end]);
        put(batch, &Key::Entry { index: entry.index, part }, &value);
    }
    Some(pieces)
}

pub(super) fn remove_entry(batch: &mut sled::Batch, index: u64, pieces: u16) {
    for part in 0..pieces {
        batch.remove(Key::Entry { index, part }.bytes());
    }
}

/// How many pieces the entry has, its term, and this piece of its data.
pub(super) fn piece(value: &[u8]) -> Option<(u16, u64, &[u8])> {
    let (pieces, rest) = value.split_first_chunk::<2>()?;
    let (term, data) = rest.split_first_chunk::<8>()?;
    Some((u16::from_le_bytes(*pieces), u64::from_le_bytes(*term), data))
}

pub(super) fn position(at: LogPosition) -> Vec<u8> {
    bytes_of([at.index, at.term])
}

pub(super) fn bytes_of<const N: usize>(numbers: [u64; N]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

pub(super) fn numbers<const N: usize>(value: &[u8]) -> Option<[u64; N]> {
    let (numbers, rest) = value.as_chunks::<8>();
    let numbers: &[[u8; 8]; N] = numbers.try_into().ok()?;
    rest.is_empty().then(|| numbers.map(u64::from_le_bytes))
}
