//! The bytes of a snapshot: an image, written so that damage is noticed.
//!
//! ```text
//! snapshot := magic "BNMETA" (6), format u16 (1), index u64, term u64, length u64,
//!             records (length bytes, see record::encoding), crc32c u32 of all before it
//! ```
//!
//! All integers are little-endian.

use crate::image::{ApplyError, LogPosition, MetadataImage};
use crate::record::encoding::{self, RecordError};

const MAGIC: &[u8; 6] = b"BNMETA";
const FORMAT: u16 = 1;
const HEADER_SIZE: usize = 6 + 2 + 8 + 8 + 8;
const CRC_SIZE: usize = 4;

/// Why bytes are not a snapshot that this release reads.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    #[error("it is cut short: {0} bytes")]
    Truncated(usize),
    #[error("it does not begin as a snapshot does")]
    NotASnapshot,
    #[error("it has format {0}, written by a newer release; this one reads format 1")]
    NewerFormat(u16),
    #[error("its checksum is {computed:08x} but should be {stored:08x}")]
    Checksum { stored: u32, computed: u32 },
    #[error("{0}")]
    Record(#[from] RecordError),
    #[error("{0}")]
    Apply(#[from] ApplyError),
}

/// The bytes of this image.
pub fn encode(image: &MetadataImage) -> Vec<u8> {
    let LogPosition { index, term } = image.last_applied;
    let mut out = Vec::new();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&index.to_le_bytes());
    out.extend_from_slice(&term.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    image.to_records(|record| encoding::encode_record(&record, &mut out));
    let length = (out.len() - HEADER_SIZE) as u64;
    out[HEADER_SIZE - 8..HEADER_SIZE].copy_from_slice(&length.to_le_bytes());
    let crc = checksum(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// The image in these bytes.
pub fn decode(bytes: &[u8]) -> Result<MetadataImage, SnapshotError> {
    let position = check(bytes)?;
    let records = &bytes[HEADER_SIZE..bytes.len() - CRC_SIZE];
    let mut image = MetadataImage::default();
    for record in encoding::decode_record_sequence(records)? {
        image.replay(&record)?;
    }
    image.last_applied = position;
    Ok(image)
}

/// The position of a snapshot whose bytes are whole.
pub fn check(bytes: &[u8]) -> Result<LogPosition, SnapshotError> {
    let Some((body, stored)) = bytes.split_last_chunk::<CRC_SIZE>() else {
        return Err(SnapshotError::Truncated(bytes.len()));
    };
    if body.len() < HEADER_SIZE {
        return Err(SnapshotError::Truncated(bytes.len()));
    }
    if !body.starts_with(MAGIC) {
        return Err(SnapshotError::NotASnapshot);
    }
    let (stored, computed) = (u32::from_le_bytes(*stored), checksum(body));
    if stored != computed {
        return Err(SnapshotError::Checksum { stored, computed });
    }
    match u16::from_le_bytes([body[6], body[7]]) {
        FORMAT => {}
        other => return Err(SnapshotError::NewerFormat(other)),
    }
    let number = |at: usize| {
        let mut number = [0; 8];
        number.copy_from_slice(&body[at..at + 8]);
        u64::from_le_bytes(number)
    };
    if number(24) != (body.len() - HEADER_SIZE) as u64 {
        return Err(SnapshotError::Truncated(bytes.len()));
    }
    Ok(LogPosition { index: number(8), term: number(16) })
}

/// CRC-32C.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

#[cfg(test)]
mod tests;
