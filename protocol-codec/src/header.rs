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
