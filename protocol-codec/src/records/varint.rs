//! Variable-length integers as records use them: base-128 groups, low group first, zig-zag for the sign.
//!
//! Bounds are Kafka's: at most 5 bytes for 32 bits and 10 bytes for 64 bits; a longer run is an error, and
//! the bits of the last byte that do not fit are dropped.

use thiserror::Error;

/// The longest 32-bit varint in bytes.
pub const MAX_VARINT_LEN: usize = 5;
/// The longest 64-bit varint in bytes.
pub const MAX_VARLONG_LEN: usize = 10;

/// Why a variable-length integer could not be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum VarintError {
    /// The input ends inside the integer.
    #[error("the input ends inside a variable-length integer")]
    Truncated,
    /// The last byte that an integer of this width may have still asks for more.
    #[error("a variable-length integer does not end after {0} bytes")]
    TooLong(usize),
}

/// Reads a zig-zag 32-bit integer and moves `input` past it.
///
/// # Errors
/// `Truncated` and `TooLong`; `input` is unchanged then.
#[inline(always)]
pub fn read_varint(input: &mut &[u8]) -> Result<i32, VarintError> {
    let raw = match *input {
        // Lengths and deltas below 64, and lengths below 8192, are nearly all there is.
        [first, rest @ ..] if *first < 0x80 => {
            *input = rest;
            u32::from(*first)
        }
        [first, second, rest @ ..] if *second < 0x80 => {
            *input = rest;
            u32::from(*first & 0x7f) | u32::from(*second) << 7
        }
        _ => from_slice(input, MAX_VARINT_LEN)? as u32,
    };
    Ok(unzigzag32(raw))
}

/// Reads a zig-zag 64-bit integer and moves `input` past it.
///
/// # Errors
/// `Truncated` and `TooLong`; `input` is unchanged then.
#[inline(always)]
pub fn read_varlong(input: &mut &[u8]) -> Result<i64, VarintError> {
    let raw = match *input {
        [first, rest @ ..] if *first < 0x80 => {
            *input = rest;
            u64::from(*first)
        }
        _ => from_slice(input, MAX_VARLONG_LEN)?,
    };
    Ok(unzigzag64(raw))
}

fn from_slice(input: &mut &[u8], max_len: usize) -> Result<u64, VarintError> {
    let mut bytes = input.iter();
    let raw = read_groups(max_len, || bytes.next().copied().ok_or(VarintError::Truncated))?;
    *input = bytes.as_slice();
    Ok(raw)
}

/// Puts the groups together that `next` gives, at most `max_len`.
#[inline]
pub(super) fn read_groups<E: From<VarintError>>(
    max_len: usize,
    mut next: impl FnMut() -> Result<u8, E>,
) -> Result<u64, E> {
    let mut raw = 0_u64;
    let mut shift = 0_u32;
    for _ in 0..max_len {
        let byte = next()?;
        raw |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return Ok(raw);
        }
    }
    Err(VarintError::TooLong(max_len).into())
}

pub(super) const fn unzigzag32(raw: u32) -> i32 {
    (raw >> 1) as i32 ^ -((raw & 1) as i32)
}

pub(super) const fn unzigzag64(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

/// Appends `value` as a zig-zag 32-bit integer.
pub fn write_varint(out: &mut Vec<u8>, value: i32) {
    write_groups(out, u64::from(zigzag32(value)));
}

/// Appends `value` as a zig-zag 64-bit integer.
pub fn write_varlong(out: &mut Vec<u8>, value: i64) {
    write_groups(out, zigzag64(value));
}

/// The bytes that [`write_varint`] takes for `value`.
#[must_use]
pub fn varint_len(value: i32) -> usize {
    groups_len(u64::from(zigzag32(value)))
}

/// The bytes that [`write_varlong`] takes for `value`.
#[must_use]
pub fn varlong_len(value: i64) -> usize {
    groups_len(zigzag64(value))
}

fn zigzag32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

fn zigzag64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn write_groups(out: &mut Vec<u8>, mut raw: u64) {
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

fn groups_len(raw: u64) -> usize {
    let bits = 64 - (raw | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_encodings() {
        // Figures from the protocol buffers specification of zig-zag.
        for (value, bytes) in [
            (0, vec![0x00]),
            (-1, vec![0x01]),
            (1, vec![0x02]),
            (63, vec![0x7e]),
            (-64, vec![0x7f]),
            (64, vec![0x80, 0x01]),
            (i32::MAX, vec![0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i32::MIN, vec![0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut out = Vec::new();
            write_varint(&mut out, value);
            assert_eq!(out, bytes, "{value}");
            assert_eq!(varint_len(value), bytes.len());
            assert_eq!(read_varint(&mut out.as_slice()), Ok(value));
            assert_eq!(read_varlong(&mut out.as_slice()), Ok(i64::from(value)));
        }
    }

    #[test]
    fn every_width_of_a_long_round_trips() {
        for shift in 0..64 {
            for value in [1_i64 << shift, (1_i64 << shift).wrapping_neg(), i64::MAX >> shift] {
                let mut out = Vec::new();
                write_varlong(&mut out, value);
                assert_eq!(out.len(), varlong_len(value));
                let mut input = out.as_slice();
                assert_eq!(read_varlong(&mut input), Ok(value));
                assert!(input.is_empty());
            }
        }
    }

    #[test]
    fn too_long_and_truncated_are_told_apart_and_consume_nothing() {
        let mut long = [0x80_u8; 11].as_slice();
        assert_eq!(read_varint(&mut long), Err(VarintError::TooLong(5)));
        assert_eq!(read_varlong(&mut long), Err(VarintError::TooLong(10)));
        assert_eq!(long.len(), 11);
        assert_eq!(read_varint(&mut [0x80_u8; 4].as_slice()), Err(VarintError::Truncated));
        assert_eq!(read_varint(&mut [].as_slice()), Err(VarintError::Truncated));
    }

    #[test]
    fn bits_that_do_not_fit_are_dropped_as_in_kafka() {
        let overfull = [0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(read_varint(&mut overfull.as_slice()), Ok(i32::MIN));
    }
}
