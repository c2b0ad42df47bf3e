//! Variable-length integers: seven bits a byte, the lowest first, the highest bit set on all but
//! the last byte. Signed ones are folded (zigzag): 0, -1, 1, -2, ...
//!
//! An encoding that is longer than its type needs at most (5 bytes for 32 bits, 10 for 64), or
//! whose last byte holds bits that do not fit, is an error.

use super::DecodeError;

/// The value of an unsigned 32-bit varint at the start of `bytes`, and how many bytes it takes.
///
/// # Errors
/// [`DecodeError::Truncated`] at the end of `bytes`, [`DecodeError::VarintTooLong`].
pub(crate) fn read_u32(bytes: &[u8]) -> Result<(u32, usize), DecodeError> {
    let (value, length) = read(bytes, 5)?;
    let value = u32::try_from(value).map_err(|_| DecodeError::VarintTooLong)?;
    Ok((value, length))
}

fn read(bytes: &[u8], longest: usize) -> Result<(u64, usize), DecodeError> {
    let mut value: u64 = 0;
    for (at, byte) in bytes.iter().take(longest).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok((value, at + 1));
        }
    }
    if bytes.len() < longest {
        Err(DecodeError::Truncated { wanted: bytes.len() + 1, remaining: bytes.len() })
    } else {
        Err(DecodeError::VarintTooLong)
    }
}

/// An unsigned 32-bit varint in a buffer of five bytes, and how many of them count.
pub(crate) fn write_u32(mut value: u32) -> ([u8; 5], usize) {
    let mut bytes = [0; 5];
    let mut length = 0;
    for byte in &mut bytes {
        length += 1;
        // Seven bits always fit.
        *byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            break;
        }
        *byte |= 0x80;
    }
    (bytes, length)
}
