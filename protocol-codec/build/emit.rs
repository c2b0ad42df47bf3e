//! Emits the Rust code of one schema: a module with its structs, their defaults, and their decoding
//! and encoding.

use std::fmt::Write as _;

use crate::emit_decode;
use crate::emit_encode;
use crate::emit_json;
use crate::model::{Field, Kind, Schema, Struct, Versions};

pub type Result<T> = std::result::Result<T, std::fmt::Error>;

/// What the code of a struct needs to know of its message.
pub struct Context {
    pub first_flexible: Option<i16>,
    /// The versions in which the struct can occur.
    pub versions: Versions,
}

impl Context {
    /// Whether the struct is only in flexible versions, only in others, or in both.
    pub fn always_flexible(&self) -> Option<bool> {
        match self.first_flexible {
            None => Some(false),
            Some(from) if from <= self.versions.min => Some(true),
            Some(from) if from > self.versions.max => Some(false),
            Some(_) => None,
        }
    }

    /// The condition that a version of the struct is in `range`; nothing if it always is.
    pub fn condition(&self, range: Versions) -> Option<String> {
        let from = format!("version >= {}", range.min);
        let to = format!("version <= {}", range.max);
        match (range.min > self.versions.min, range.max < self.versions.max) {
            (false, false) => None,
            (true, false) => Some(from),
            (false, true) => Some(to),
            (true, true) if range.min == range.max => Some(format!("version == {}", range.min)),
            (true, true) => Some(format!("{from} && {to}")),
        }
    }
}

/// What is emitted beside the structs, their decoding and encoding.
#[derive(Clone, Copy, PartialEq)]
pub enum Json {
    /// `write_json`, for what lies in files.
    Written,
    /// Nothing.
    Absent,
}

/// The module of a schema, without what depends on its kind.
pub fn module(schema: &Schema, kinds: &str, json: Json) -> Result<String> {
    let mut out = String::new();
    writeln!(out, "/// {}", schema.about)?;
    writeln!(
        out,
        "#[allow(missing_docs, unused_imports, unused_mut, unused_variables, clippy::all)]"
    )?;
    writeln!(out, "pub mod {} {{", schema.module)?;
    writeln!(out, "use bytes::Bytes;")?;
    writeln!(out, "use crate::messages::Message;")?;
    writeln!(out, "use crate::wire::{{DecodeError, EncodeError, Reader, Records, Writer}};")?;
    writeln!(out, "use crate::{{ApiKey, StrBytes, Uuid}};")?;
    out += kinds;
    for message in &schema.messages {
        emit_struct(&mut out, message, json)?;
        emit_message(&mut out, schema, message)?;
    }
    for inner in &schema.structs {
        emit_struct(&mut out, inner, json)?;
    }
    writeln!(out, "}}")?;
    Ok(out)
}

fn emit_struct(out: &mut String, s: &Struct, json: Json) -> Result<()> {
    let context = Context { first_flexible: s.first_flexible, versions: s.versions };
    writeln!(out, "#[derive(Debug, Clone, PartialEq)]")?;
    writeln!(out, "pub struct {} {{", s.name)?;
    for field in &s.fields {
        writeln!(out, "pub {}: {},", ident(&field.name), field_type(field))?;
    }
    writeln!(out, "}}")?;

    writeln!(out, "impl Default for {} {{ fn default() -> Self {{ Self {{", s.name)?;
    for field in &s.fields {
        writeln!(out, "{}: {},", ident(&field.name), default_value(field))?;
    }
    writeln!(out, "}} }} }}")?;

    writeln!(out, "impl {} {{", s.name)?;
    emit_decode::body(out, &context, s)?;
    emit_encode::body(out, &context, s)?;
    if json == Json::Written {
        emit_json::body(out, &context, s)?;
    }
    writeln!(out, "}}")
}

fn emit_message(out: &mut String, schema: &Schema, message: &Struct) -> Result<()> {
    let name = match message.name.as_str() {
        part @ ("Request" | "Response") => format!("{}{part}", schema.name),
        other => other.to_owned(),
    };
    let Versions { min, max } = message.versions;
    write!(
        out,
        "impl Message for {} {{
            const NAME: &'static str = \"{name}\";
            const MIN_VERSION: i16 = {min};
            const MAX_VERSION: i16 = {max};
            fn decode(r: &mut Reader, version: i16) -> Result<Self, DecodeError> {{
                if !({min}..={max}).contains(&version) {{
                    return Err(DecodeError::UnsupportedVersion {{ name: Self::NAME, version }});
                }}
                Self::read(r, version)
            }}
            fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {{
                if !({min}..={max}).contains(&version) {{
                    return Err(EncodeError::UnsupportedVersion {{ name: Self::NAME, version }});
                }}
                self.write(w, version)
            }}
        }}",
        message.name
    )
}

/// A field name as a Rust identifier.
pub fn ident(name: &str) -> String {
    match name {
        "type" | "match" | "ref" => format!("r#{name}"),
        _ => name.to_owned(),
    }
}

fn field_type(field: &Field) -> String {
    let plain = kind_type(&field.kind);
    if field.is_option() { format!("Option<{plain}>") } else { plain }
}

fn kind_type(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "bool".into(),
        Kind::Int8 => "i8".into(),
        Kind::Int16 => "i16".into(),
        Kind::Int32 => "i32".into(),
        Kind::Int64 => "i64".into(),
        Kind::Uint16 => "u16".into(),
        Kind::Uint32 => "u32".into(),
        Kind::Float64 => "f64".into(),
        Kind::Uuid => "Uuid".into(),
        Kind::String => "StrBytes".into(),
        Kind::Bytes => "Bytes".into(),
        Kind::Records => "Records".into(),
        Kind::Struct(name) => name.clone(),
        Kind::Array(element) => format!("Vec<{}>", kind_type(element)),
    }
}

fn default_value(field: &Field) -> String {
    if field.defaults_to_null() {
        return "None".into();
    }
    let plain = match &field.kind {
        Kind::Bool => field.default.clone().unwrap_or("false".into()),
        Kind::Float64 => field.default.clone().unwrap_or("0.0".into()),
        Kind::Uuid => "Uuid::ZERO".into(),
        Kind::String => match &field.default {
            Some(text) => format!("StrBytes::from_static({text:?})"),
            None => "StrBytes::new()".into(),
        },
        Kind::Bytes => "Bytes::new()".into(),
        Kind::Records => "None".into(),
        Kind::Struct(name) => format!("{name}::default()"),
        Kind::Array(_) => "Vec::new()".into(),
        Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 | Kind::Uint16 | Kind::Uint32 => {
            field.default.clone().unwrap_or("0".into())
        }
    };
    if field.is_option() { format!("Some({plain})") } else { plain }
}
