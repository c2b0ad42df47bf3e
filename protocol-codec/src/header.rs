//! The headers in front of every request and response. Their versions follow from the API and its
//! version, see [`ApiKey::request_header_version`] and [`ApiKey::response_header_version`].
//!
//! Request: key (2 bytes), version (2), correlation id (4), client id (a nullable string that is
//! never compact), from header version 2 on tagged fields. Response: correlation id (4), from
//! header version 1 on tagged fields.

use crate::wire::{DecodeError, EncodeError, Reader, Writer};
use crate::{ApiKey, StrBytes};

/// The header of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    /// The number of an API that has versions; whether `api_version` is among them is not checked.
    pub api_key: ApiKey,
    /// The version of the request, and of the response.
    pub api_version: i16,
    /// The response carries it too.
    pub correlation_id: i32,
    /// The name that the client gave itself: for logs and quotas.
    pub client_id: Option<StrBytes>,
}

impl RequestHeader {
    /// Reads the header of a request.
    ///
    /// # Errors
    /// [`DecodeError::UnknownApi`] if the key is unknown: what follows cannot be read then. Other
    /// [`DecodeError`]s if the header is cut off or malformed.
    pub fn decode(r: &mut Reader) -> Result<Self, DecodeError> {
        let code = r.i16()?;
        let api_key = ApiKey::from_code(code).ok_or(DecodeError::UnknownApi(code))?;
        let api_version = r.i16()?;
        let correlation_id = r.i32()?;
        let client_id = r.nullable_string(false)?;
        if api_key.request_header_version(api_version) >= 2 {
            r.skip_tags()?;
        }
        Ok(Self { api_key, api_version, correlation_id, client_id })
    }

    /// Writes the header of a request.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] if the client id is.
    pub fn encode(&self, w: &mut Writer) -> Result<(), EncodeError> {
        w.i16(self.api_key.code());
        w.i16(self.api_version);
        w.i32(self.correlation_id);
        w.nullable_string(self.client_id.as_deref(), false)?;
        if self.api_key.request_header_version(self.api_version) >= 2 {
            w.no_tags();
        }
        Ok(())
    }
}

/// The header of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseHeader {
    /// The correlation id of the request.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Reads the header of a response to a request of this API and version.
    ///
    /// # Errors
    /// [`DecodeError`] if the header is cut off or malformed.
    pub fn decode(r: &mut Reader, key: ApiKey, version: i16) -> Result<Self, DecodeError> {
        let correlation_id = r.i32()?;
        if key.response_header_version(version) >= 1 {
            r.skip_tags()?;
        }
        Ok(Self { correlation_id })
    }

    /// Writes the header of a response to a request of this API and version.
    pub fn encode(&self, w: &mut Writer, key: ApiKey, version: i16) {
        w.i32(self.correlation_id);
        if key.response_header_version(version) >= 1 {
            w.no_tags();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::*;

    fn decode(bytes: &'static [u8]) -> Result<RequestHeader, DecodeError> {
        let mut r = Reader::new(Bytes::from_static(bytes));
        let header = RequestHeader::decode(&mut r)?;
        r.finish()?;
        Ok(header)
    }

    #[test]
    fn client_ids_are_never_compact() {
        // ApiVersions 3 has header version 2, which ends with tagged fields: here one that is unknown.
        let bytes = b"\0\x12\0\x03\0\0\0\x07\0\x02me\x01\x05\x01x";
        let header = decode(bytes).unwrap();
        let expected = RequestHeader {
            api_key: ApiKey::ApiVersions,
            api_version: 3,
            correlation_id: 7,
            client_id: Some("me".into()),
        };
        assert_eq!(header, expected);
        let mut w = Writer::new(BytesMut::new());
        header.encode(&mut w).unwrap();
        assert_eq!(&w.finish().buf[..], b"\0\x12\0\x03\0\0\0\x07\0\x02me\0");
    }

    #[test]
    fn a_client_need_not_name_itself() {
        let header = decode(b"\0\x03\0\0\0\0\0\x01\xff\xff").unwrap();
        assert_eq!((header.api_key, header.client_id), (ApiKey::Metadata, None));
    }

    #[test]
    fn keys_that_nobody_knows() {
        assert_eq!(decode(b"\x03\xe7\0\0"), Err(DecodeError::UnknownApi(999)));
        assert_eq!(decode(b"\0\x04\0\0\0\0\0\x01\xff\xff"), Err(DecodeError::UnknownApi(4)));
        assert_eq!(decode(b"\0"), Err(DecodeError::Truncated { wanted: 2, remaining: 1 }));
    }
}
