//! Reads `tests/golden/messages.txt`, which `tests/java/Golden.java` of the workspace writes with
//! Kafka's own classes, and decodes its lines with ours.

use std::fmt::{self, Debug};

use bytes::{Bytes, BytesMut};
use protocol_codec::ApiKey;
use protocol_codec::coordinator_records::{consumer_offsets, share_group_state, transaction_state};
use protocol_codec::data;
use protocol_codec::messages::{AnyRequest, AnyResponse, Message};
use protocol_codec::metadata_records::MetadataRecord;
use protocol_codec::wire::{DecodeError, Reader, Writer};

/// One message in one encoding, which one or more versions share.
#[derive(Clone)]
pub(crate) struct Golden {
    pub(crate) kind: &'static str,
    pub(crate) number: i16,
    pub(crate) name: &'static str,
    pub(crate) versions: Vec<i16>,
    pub(crate) filling: &'static str,
    /// How many values in it are made from their path.
    pub(crate) leaves: usize,
    pub(crate) bytes: Bytes,
}

/// The versions of the headers around some versions of an API.
pub(crate) struct Headers {
    pub(crate) key: ApiKey,
    pub(crate) versions: Vec<i16>,
    pub(crate) request: i16,
    pub(crate) response: i16,
}

/// A decoded message of any kind.
pub(crate) trait Decoded: Debug {
    fn encoded(&self, version: i16) -> Bytes;
}

const TEXT: &str = include_str!("../golden/messages.txt");

/// Every message of the file.
pub(crate) fn messages() -> impl Iterator<Item = Golden> {
    TEXT.lines().filter(|line| !line.starts_with("headers ")).map(|line| {
        let [kind, number, name, versions, filling, leaves, hex] = words(line);
        Golden {
            kind,
            number: number.parse().unwrap(),
            name,
            versions: numbers(versions),
            filling,
            leaves: leaves.parse().unwrap(),
            bytes: hex_bytes(hex),
        }
    })
}

/// Every line of the file about headers.
pub(crate) fn headers() -> impl Iterator<Item = Headers> {
    TEXT.lines().filter(|line| line.starts_with("headers ")).map(|line| {
        let [_, key, name, versions, headers] = words(line);
        let key = ApiKey::from_code(key.parse().unwrap()).unwrap();
        assert_eq!(key.name(), name);
        let (request, response) = headers.split_once('/').unwrap();
        Headers {
            key,
            versions: numbers(versions),
            request: request.parse().unwrap(),
            response: response.parse().unwrap(),
        }
    })
}

fn words<const N: usize>(line: &'static str) -> [&'static str; N] {
    let words: Vec<_> = line.split(' ').collect();
    words.try_into().unwrap_or_else(|words| panic!("{N} words are expected: {words:?}"))
}

fn numbers(list: &str) -> Vec<i16> {
    list.split(',').map(|number| number.parse().unwrap()).collect()
}

fn hex_bytes(hex: &str) -> Bytes {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Types whose `encode` takes a writer.
macro_rules! decoded_by_writer {
    ($($type:ty),* $(,)?) => {$(
        impl Decoded for $type {
            fn encoded(&self, version: i16) -> Bytes {
                let mut w = Writer::new(BytesMut::new());
                self.encode(&mut w, version).unwrap();
                w.finish().buf.freeze()
            }
        }
    )*};
}

decoded_by_writer!(AnyRequest, AnyResponse);

/// The structures of `data`, by name.
macro_rules! structures {
    ($($name:ident)*) => {
        decoded_by_writer!($(data::$name),*);

        fn structure(
            name: &str,
            r: &mut Reader,
            version: i16,
        ) -> Result<Box<dyn Decoded>, DecodeError> {
            Ok(match name {
                $(stringify!($name) => Box::new(data::$name::decode(r, version)?),)*
                other => panic!("unknown structure {other}"),
            })
        }
    };
}

structures! {
    AbortedTxn ConsumerProtocolAssignment ConsumerProtocolSubscription ControlRecordTypeSchema
    DefaultPrincipalData EndTxnMarker KRaftVersionRecord LeaderChangeMessage ProducerSnapshot
    SnapshotFooterRecord SnapshotHeaderRecord VotersRecord
}

/// The records of the internal topics.
macro_rules! topics {
    ($($topic:ident)*) => {
        $(
            impl Decoded for $topic::Key {
                fn encoded(&self, _: i16) -> Bytes {
                    $topic::Key::encode(self).unwrap()
                }
            }

            impl Decoded for $topic::Value {
                fn encoded(&self, version: i16) -> Bytes {
                    $topic::Value::encode(self, version).unwrap()
                }
            }
        )*

        fn record(
            kind: &str,
            number: i16,
            bytes: Bytes,
        ) -> Result<Box<dyn Decoded>, DecodeError> {
            $(
                if kind == concat!(stringify!($topic), "-key") {
                    return Ok(Box::new($topic::Key::decode(bytes)?));
                }
                if kind == concat!(stringify!($topic), "-value") {
                    return Ok(Box::new($topic::Value::decode(number, bytes)?));
                }
            )*
            panic!("unknown kind {kind}")
        }
    };
}

topics! { consumer_offsets transaction_state share_group_state }

/// A record of the metadata log: its bytes say which version they are.
struct Framed {
    record: MetadataRecord,
    version: i16,
}

impl Debug for Framed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record.fmt(f)
    }
}

impl Decoded for Framed {
    fn encoded(&self, _: i16) -> Bytes {
        self.record.encode(self.version).unwrap()
    }
}

impl Golden {
    /// Decodes `bytes`, which need not be those of the line, to the last one.
    pub(crate) fn decode(
        &self,
        version: i16,
        bytes: Bytes,
    ) -> Result<Box<dyn Decoded>, DecodeError> {
        let mut r = Reader::new(bytes.clone());
        let key = || ApiKey::from_code(self.number).unwrap();
        let decoded: Box<dyn Decoded> = match self.kind {
            "request" => Box::new(AnyRequest::decode(key(), &mut r, version)?),
            "response" => Box::new(AnyResponse::decode(key(), &mut r, version)?),
            "data" => structure(self.name, &mut r, version)?,
            "metadata" => {
                let (record, version) = MetadataRecord::decode(bytes)?;
                return Ok(Box::new(Framed { record, version }));
            }
            kind => return record(kind, self.number, bytes),
        };
        r.finish()?;
        Ok(decoded)
    }

    /// The line, for messages of failed tests.
    pub(crate) fn title(&self, version: i16) -> String {
        format!("{} {} version {version}, {}", self.name, self.kind, self.filling)
    }
}
