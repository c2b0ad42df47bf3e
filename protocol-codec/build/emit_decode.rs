//! Emits `read`: the decoding of a struct in one of its versions.

use std::fmt::Write as _;

use crate::emit::{Context, Result, ident};
use crate::model::{Field, Kind, Struct};

/// The method `read` of a struct.
pub fn body(out: &mut String, context: &Context, s: &Struct) -> Result<()> {
    writeln!(out, "fn read(r: &mut Reader, version: i16) -> Result<Self, DecodeError> {{")?;
    let flexible = match (context.always_flexible(), context.first_flexible) {
        (None, Some(from)) => format!("version >= {from}"),
        (always, _) => always.unwrap_or(false).to_string(),
    };
    writeln!(out, "let flexible = {flexible};")?;
    writeln!(out, "let mut m = Self::default();")?;
    for field in s.fields.iter().filter(|field| field.tag.is_none()) {
        let value = value(context, field);
        let name = ident(&field.name);
        match context.condition(field.versions) {
            None => writeln!(out, "m.{name} = {value};")?,
            Some(condition) => writeln!(out, "if {condition} {{ m.{name} = {value}; }}")?,
        }
    }
    match context.always_flexible() {
        Some(false) => {}
        Some(true) => tags(out, context, s)?,
        None => {
            writeln!(out, "if flexible {{")?;
            tags(out, context, s)?;
            writeln!(out, "}}")?;
        }
    }
    writeln!(out, "Ok(m)\n}}")
}

fn tags(out: &mut String, context: &Context, s: &Struct) -> Result<()> {
    if s.fields.iter().all(|field| field.tag.is_none()) {
        return writeln!(out, "r.skip_tags()?;");
    }
    writeln!(out, "for _ in 0..r.tag_count()? {{")?;
    writeln!(out, "let tag = r.tag()?;")?;
    writeln!(out, "match tag.number {{")?;
    for field in &s.fields {
        let Some(tag) = field.tag else { continue };
        let guard = match context.condition(field.versions) {
            None => String::new(),
            Some(condition) => format!("if {condition} "),
        };
        writeln!(out, "{tag} {guard}=> m.{} = {},", ident(&field.name), value(context, field))?;
    }
    writeln!(out, "_ => r.skip_tag(&tag),")?;
    writeln!(out, "}}")?;
    writeln!(out, "r.end_tag(&tag)?;")?;
    writeln!(out, "}}")
}

/// The expression that reads a field in a version that has it.
fn value(context: &Context, field: &Field) -> String {
    let Some(nullable) = field.nullable else {
        let plain = read(&field.kind, "");
        return if field.is_option() { format!("Some({plain})") } else { plain };
    };
    let with_null = match &field.kind {
        Kind::Struct(name) => {
            let is_present = if field.tag.is_some() { "is_tagged_present" } else { "is_present" };
            format!("if r.{is_present}()? {{ Some({name}::read(r, version)?) }} else {{ None }}")
        }
        kind => read(kind, "nullable_"),
    };
    // The range of null is compared with the range of the field, which is all that matters here.
    let within = Context { first_flexible: context.first_flexible, versions: field.versions };
    match within.condition(nullable) {
        None => with_null,
        Some(condition) => {
            let plain = read(&field.kind, "");
            format!("if {condition} {{ {with_null} }} else {{ Some({plain}) }}")
        }
    }
}

fn read(kind: &Kind, prefix: &str) -> String {
    match kind {
        Kind::Struct(name) => format!("{name}::read(r, version)?"),
        Kind::Array(element) => match &**element {
            Kind::Struct(name) => format!("r.{prefix}array(flexible, version, {name}::read)?"),
            element => format!("r.{prefix}{}_array(flexible)?", method(element)),
        },
        Kind::String | Kind::Bytes | Kind::Records => {
            format!("r.{prefix}{}(flexible)?", method(kind))
        }
        kind => format!("r.{}()?", method(kind)),
    }
}

/// The method of `Reader` and `Writer` for a primitive type.
pub fn method(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::Int8 => "i8",
        Kind::Int16 => "i16",
        Kind::Int32 => "i32",
        Kind::Int64 => "i64",
        Kind::Uint16 => "u16",
        Kind::Uint32 => "u32",
        Kind::Float64 => "f64",
        Kind::Uuid => "uuid",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Records => "records",
        Kind::Struct(_) | Kind::Array(_) => "array",
    }
}
