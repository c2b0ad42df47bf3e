//! Kafka's UUID: 16 bytes, written as 22 characters of URL-safe base64 without padding.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TEXT_LENGTH: usize = 22;

/// Identifies a topic, a log directory, an incarnation of a broker or a cluster.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

/// A text that is not a [`Uuid`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not 22 characters of URL-safe base64 that make 16 bytes")]
pub struct ParseUuidError;

impl Uuid {
    /// All zero: no UUID.
    pub const ZERO: Self = Self([0; 16]);
    /// 1: the id of the topic `__cluster_metadata`.
    pub const ONE: Self = Self(1u128.to_be_bytes());

    /// From its bytes on the wire.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether it stands for no UUID.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 128 bits are 21 characters of six bits and one of two, which stands for six by zeros.
        let value = u128::from_be_bytes(self.0);
        for at in 0..TEXT_LENGTH {
            let bits = if at < 21 { value >> (122 - 6 * at) } else { value << 4 };
            let index = usize::try_from(bits & 0x3f).unwrap_or(0);
            let character = ALPHABET.get(index).copied().unwrap_or(b'A');
            write!(f, "{}", char::from(character))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, ParseUuidError> {
        if text.len() != TEXT_LENGTH {
            return Err(ParseUuidError);
        }
        let mut value: u128 = 0;
        for (at, character) in text.bytes().enumerate() {
            let index = ALPHABET.iter().position(|known| *known == character);
            let bits = u128::try_from(index.ok_or(ParseUuidError)?).map_err(|_| ParseUuidError)?;
            if at < 21 {
                value = value << 6 | bits;
            } else if bits & 0xf == 0 {
                value = value << 2 | bits >> 4;
            } else {
                return Err(ParseUuidError);
            }
        }
        Ok(Self(value.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kafkas() {
        // The pairs are those of org.apache.kafka.common.Uuid.
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid::ONE.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        let all = Uuid::from_bytes([0xff; 16]);
        assert_eq!(all.to_string(), "_____________________w");
        let mixed = Uuid::from_bytes(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210_u128.to_be_bytes());
        assert_eq!(mixed.to_string(), "ASNFZ4mrze_-3LqYdlQyEA");
        for uuid in [Uuid::ZERO, Uuid::ONE, all, mixed] {
            assert_eq!(uuid.to_string().parse(), Ok(uuid));
        }
    }

    #[test]
    fn refuses_what_is_no_uuid() {
        for text in
            ["", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA+"]
        {
            assert_eq!(text.parse::<Uuid>(), Err(ParseUuidError), "{text}");
        }
        // The last character carries two bits only.
        assert_eq!("AAAAAAAAAAAAAAAAAAAAAB".parse::<Uuid>(), Err(ParseUuidError));
    }
}
