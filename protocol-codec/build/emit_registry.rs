//! Emits what ties the modules together: the enums over all requests and responses, over the keys
//! and values of each internal topic, and over the records of Kafka's metadata log.

use std::fmt::Write as _;

use crate::emit::{Json, Result, module};
use crate::model::Schema;

/// All APIs: their modules, `AnyRequest` and `AnyResponse`.
pub fn messages(apis: &[Schema]) -> Result<String> {
    let mut out = String::new();
    for api in apis {
        let request = format!(
            "impl crate::messages::Request for Request {{
                const KEY: ApiKey = ApiKey::{};
                type Response = Response;
            }}
            impl crate::messages::Response for Response {{
                fn throttle_time_ms(&mut self) -> Option<&mut i32> {{ {} }}
            }}",
            api.name,
            throttle_time(api),
        );
        out += &module(api, &request, Json::Absent)?;
    }
    any(&mut out, apis, "Request", "request")?;
    any(&mut out, apis, "Response", "response")?;
    Ok(out)
}

/// How a response gives access to its throttle time.
fn throttle_time(api: &Schema) -> &'static str {
    let response = api.messages.iter().find(|message| message.name == "Response");
    let has_field = response
        .is_some_and(|response| response.fields.iter().any(|f| f.name == "throttle_time_ms"));
    if has_field { "Some(&mut self.throttle_time_ms)" } else { "None" }
}

fn any(out: &mut String, apis: &[Schema], kind: &str, word: &str) -> Result<()> {
    writeln!(out, "/// A {word} of any API.")?;
    writeln!(out, "#[derive(Debug, Clone, PartialEq)]")?;
    writeln!(out, "#[allow(missing_docs)]")?;
    writeln!(out, "pub enum Any{kind} {{")?;
    for api in apis {
        writeln!(out, "{}(Box<{}::{kind}>),", api.name, api.module)?;
    }
    writeln!(out, "}}\n#[allow(clippy::too_many_lines)]\nimpl Any{kind} {{")?;

    writeln!(out, "/// Reads a {word} of this API. Bytes may be left over.\n///")?;
    writeln!(out, "/// # Errors\n/// [`DecodeError`] if the bytes are not that {word}.")?;
    writeln!(
        out,
        "pub fn decode(key: ApiKey, r: &mut Reader, version: i16) -> Result<Self, DecodeError> {{"
    )?;
    writeln!(out, "Ok(match key {{")?;
    for api in apis {
        writeln!(
            out,
            "ApiKey::{0} => Self::{0}(Box::new({1}::{kind}::decode(r, version)?)),",
            api.name, api.module
        )?;
    }
    writeln!(out, "_ => return Err(DecodeError::UnknownApi(key.code())),\n}})\n}}")?;

    writeln!(out, "/// Writes the {word}.\n///")?;
    writeln!(out, "/// # Errors\n/// [`EncodeError`] if this version cannot carry it.")?;
    writeln!(
        out,
        "pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {{"
    )?;
    writeln!(out, "match self {{")?;
    for api in apis {
        writeln!(out, "Self::{}(m) => m.encode(w, version),", api.name)?;
    }
    writeln!(out, "}}\n}}")?;

    writeln!(out, "/// The API.\n#[must_use]\npub fn key(&self) -> ApiKey {{\nmatch self {{")?;
    for api in apis {
        writeln!(out, "Self::{0}(_) => ApiKey::{0},", api.name)?;
    }
    writeln!(out, "}}\n}}\n}}")
}

/// All structures: their modules, and their names at the top.
pub fn data(schemas: &[Schema]) -> Result<String> {
    let mut out = String::new();
    for schema in schemas {
        out += &module(schema, "", Json::Written)?;
        writeln!(out, "pub use self::{}::{};", schema.module, schema.name)?;
    }
    Ok(out)
}

/// A topic: the modules of its records, and the enums `Key` and `Value`.
pub fn topic(topic: &str, records: &[Schema]) -> Result<String> {
    let mut out = String::new();
    writeln!(out, "/// The records of `__{topic}`.\npub mod {topic} {{")?;
    writeln!(out, "use bytes::Bytes;")?;
    writeln!(out, "use crate::messages::Message;")?;
    writeln!(out, "use crate::wire::{{DecodeError, EncodeError, Reader}};")?;
    writeln!(out, "use super::{{encode_key, encode_with_version}};")?;
    for record in records {
        out += &module(record, "", Json::Written)?;
        writeln!(out, "pub use self::{0}::{{{1}Key, {1}Value}};", record.module, record.name)?;
    }
    keys(&mut out, records)?;
    values(&mut out, records)?;
    writeln!(out, "}}")?;
    Ok(out)
}

fn keys(out: &mut String, records: &[Schema]) -> Result<()> {
    writeln!(out, "/// The key of a record.\n#[derive(Debug, Clone, PartialEq)]")?;
    writeln!(out, "#[allow(missing_docs)]\npub enum Key {{")?;
    for record in records {
        writeln!(out, "{0}({0}Key),", record.name)?;
    }
    writeln!(out, "}}\nimpl Key {{")?;
    writeln!(out, "/// The type of the record.\n#[must_use]")?;
    writeln!(out, "pub fn record_type(&self) -> i16 {{\nmatch self {{")?;
    for record in records {
        writeln!(out, "Self::{}(_) => {},", record.name, record.number)?;
    }
    writeln!(out, "}}\n}}")?;
    writeln!(out, "/// Reads the key of a record.\n///\n/// # Errors")?;
    writeln!(out, "/// [`DecodeError::UnknownRecordType`], or that of the structure.")?;
    writeln!(out, "pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {{")?;
    writeln!(out, "let mut r = Reader::new(bytes);\nlet key = match r.i16()? {{")?;
    for record in records {
        writeln!(out, "{0} => Self::{1}({1}Key::decode(&mut r, 0)?),", record.number, record.name)?;
    }
    writeln!(out, "other => return Err(DecodeError::UnknownRecordType(other)),\n}};")?;
    writeln!(out, "r.finish()?;\nOk(key)\n}}")?;
    writeln!(out, "/// Writes the key of a record.\n///\n/// # Errors")?;
    writeln!(out, "/// [`EncodeError::TooLong`] if a string is too long.")?;
    writeln!(out, "pub fn encode(&self) -> Result<Bytes, EncodeError> {{\nmatch self {{")?;
    for record in records {
        writeln!(out, "Self::{}(key) => encode_key({}, key),", record.name, record.number)?;
    }
    writeln!(out, "}}\n}}")?;
    write_json(out, records, "0")?;
    writeln!(out, "}}")
}

/// `write_json` of an enum over all records.
fn write_json(out: &mut String, records: &[Schema], version: &str) -> Result<()> {
    let parameter = if version == "version" { ", version: i16" } else { "" };
    writeln!(out, "/// Writes the fields, in Kafka's names.")?;
    writeln!(out, "pub fn write_json(&self, w: &mut crate::json::JsonWriter{parameter}) {{")?;
    writeln!(out, "match self {{")?;
    for record in records {
        writeln!(out, "Self::{}(inner) => inner.write_json(w, {version}),", record.name)?;
    }
    writeln!(out, "}}\n}}")
}

fn values(out: &mut String, records: &[Schema]) -> Result<()> {
    writeln!(out, "/// The value of a record.\n#[derive(Debug, Clone, PartialEq)]")?;
    writeln!(out, "#[allow(missing_docs)]\npub enum Value {{")?;
    for record in records {
        writeln!(out, "{0}({0}Value),", record.name)?;
    }
    writeln!(out, "}}\nimpl Value {{")?;
    writeln!(out, "/// Reads the value of a record of this type.\n///\n/// # Errors")?;
    writeln!(out, "/// [`DecodeError::UnknownRecordType`], or that of the version or structure.")?;
    writeln!(out, "pub fn decode(record_type: i16, bytes: Bytes) -> Result<Self, DecodeError> {{")?;
    writeln!(out, "let mut r = Reader::new(bytes);\nlet version = r.i16()?;")?;
    writeln!(out, "let value = match record_type {{")?;
    for record in records {
        writeln!(
            out,
            "{0} => Self::{1}({1}Value::decode(&mut r, version)?),",
            record.number, record.name
        )?;
    }
    writeln!(out, "other => return Err(DecodeError::UnknownRecordType(other)),\n}};")?;
    writeln!(out, "r.finish()?;\nOk(value)\n}}")?;
    writeln!(out, "/// Writes the value of a record.\n///\n/// # Errors")?;
    writeln!(out, "/// [`EncodeError`] if this version cannot carry it.")?;
    writeln!(out, "pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {{")?;
    writeln!(out, "match self {{")?;
    for record in records {
        writeln!(out, "Self::{}(value) => encode_with_version(value, version),", record.name)?;
    }
    writeln!(out, "}}\n}}")?;
    write_json(out, records, "version")?;
    writeln!(out, "}}")
}

/// The metadata log: the modules of its records, and the enum `MetadataRecord`.
pub fn metadata(records: &[Schema]) -> Result<String> {
    let mut out = String::new();
    for record in records {
        out += &module(record, "", Json::Written)?;
        writeln!(out, "pub use self::{}::{}Record;", record.module, record.name)?;
    }
    writeln!(out, "/// A record of `__cluster_metadata`.\n#[derive(Debug, Clone, PartialEq)]")?;
    writeln!(
        out,
        "#[allow(missing_docs, clippy::large_enum_variant)]\npub enum MetadataRecord {{"
    )?;
    for record in records {
        writeln!(out, "{0}({0}Record),", record.name)?;
    }
    writeln!(out, "}}\nimpl MetadataRecord {{")?;
    writeln!(out, "/// What tells the kinds of records apart.\n#[must_use]")?;
    writeln!(out, "pub fn api_key(&self) -> i16 {{\nmatch self {{")?;
    for record in records {
        writeln!(out, "Self::{}(_) => {},", record.name, record.number)?;
    }
    writeln!(out, "}}\n}}")?;
    writeln!(out, "/// Kafka's name of this kind.\n#[must_use]")?;
    writeln!(out, "pub fn name(&self) -> &'static str {{\nmatch self {{")?;
    for record in records {
        writeln!(out, "Self::{0}(_) => {0}Record::NAME,", record.name)?;
    }
    writeln!(out, "}}\n}}")?;
    writeln!(
        out,
        "fn read(api_key: i16, r: &mut Reader, version: i16) -> Result<Self, DecodeError> {{"
    )?;
    writeln!(out, "Ok(match api_key {{")?;
    for record in records {
        writeln!(
            out,
            "{0} => Self::{1}({1}Record::decode(r, version)?),",
            record.number, record.name
        )?;
    }
    writeln!(out, "other => return Err(DecodeError::UnknownRecordType(other)),\n}})\n}}")?;
    writeln!(out, "fn write(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {{")?;
    writeln!(out, "match self {{")?;
    for record in records {
        writeln!(out, "Self::{}(record) => record.encode(w, version),", record.name)?;
    }
    writeln!(out, "}}\n}}")?;
    write_json(&mut out, records, "version")?;
    writeln!(out, "}}")?;
    Ok(out)
}
