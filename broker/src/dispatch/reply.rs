//! What a handler's answer becomes on the wire.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use protocol_codec::header::ResponseHeader;
use protocol_codec::messages::{self, Message};
use protocol_codec::wire::{Encoded, Writer};
use storage::FileRegion;

use super::Fault;
use crate::context::RequestContext;
use crate::net::output::Output;

/// Room for an answer of ordinary size.
const RESPONSE_BYTES: usize = 256;

/// What leaves for one request.
#[derive(Debug)]
pub enum Reply {
    Response(Response),
    /// A Produce with acks=0 has no answer.
    Nothing,
}

/// How a request ended: what leaves, and for how long its client is to be silent then.
#[derive(Debug)]
pub struct Answered {
    pub reply: Reply,
    pub throttle: Duration,
}

impl From<Reply> for Answered {
    fn from(reply: Reply) -> Self {
        Self { reply, throttle: Duration::ZERO }
    }
}

/// One encoded answer, with regions of files between its bytes.
#[derive(Debug, Default)]
pub struct Response {
    encoded: Encoded,
    /// The regions of each slot that the encoded bytes name.
    regions: Vec<Vec<FileRegion>>,
}

/// What handlers may return: a response, or something that holds one and more.
pub trait Answer {
    /// Has the answer say for how long its client is throttled.
    fn set_throttle_time(&mut self, throttle_ms: i32);

    /// Bytes of the records in it.
    fn record_bytes(&self) -> usize {
        0
    }

    fn encode(self, context: &RequestContext) -> Result<Reply, Fault>;
}

impl<R: messages::Response> Answer for R {
    fn set_throttle_time(&mut self, throttle_ms: i32) {
        if let Some(field) = self.throttle_time_ms() {
            *field = throttle_ms;
        }
    }

    fn encode(self, context: &RequestContext) -> Result<Reply, Fault> {
        Response::encode(context, &self, Vec::new()).map(Reply::Response)
    }
}

impl Response {
    /// Encodes a response; `regions` holds what its `Elsewhere` slots stand for.
    pub fn encode(
        context: &RequestContext,
        response: &impl Message,
        regions: Vec<Vec<FileRegion>>,
    ) -> Result<Self, Fault> {
        Self::encode_as(context, context.api_version, response, regions)
    }

    /// As [`Response::encode`], in another version than that of the request.
    pub fn encode_as(
        context: &RequestContext,
        version: i16,
        response: &impl Message,
        regions: Vec<Vec<FileRegion>>,
    ) -> Result<Self, Fault> {
        let api = context.api_key;
        let fault = |error| Fault::Encode { api, version, error };
        let mut writer = Writer::new(BytesMut::with_capacity(RESPONSE_BYTES));
        writer.begin_frame();
        let header = ResponseHeader { correlation_id: context.correlation_id };
        header.encode(&mut writer, api, version);
        response.encode(&mut writer, version).map_err(fault)?;
        writer.end_frame().map_err(fault)?;
        Ok(Self { encoded: writer.finish(), regions })
    }

    /// The bytes of the whole frame.
    pub fn len(&self) -> usize {
        self.encoded.len()
    }

    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// Puts the frame where it leaves from. After an error the connection must end: a part of the
    /// frame is there.
    pub fn write_to(self, output: &mut Output) -> io::Result<()> {
        let Self { encoded: Encoded { mut buf, splices }, regions } = self;
        let mut written = 0;
        for splice in splices {
            output.push(buf.split_to(splice.at - written).freeze());
            written = splice.at;
            let slot = regions.get(splice.slot as usize).map(Vec::as_slice).unwrap_or_default();
            let len: usize = slot.iter().map(|region| region.len).sum();
            if len != splice.len {
                return Err(io::Error::other("a response and its records disagree"));
            }
            for region in slot {
                output.push_region(region.clone())?;
            }
        }
        output.push(buf.freeze());
        Ok(())
    }
}
