//! Emits `write`: the encoding of a struct in one of its versions.

use std::fmt::Write as _;

use crate::emit::{Context, Result, ident};
use crate::emit_decode::method;
use crate::model::{Field, Kind, Struct};

/// The method `write` of a struct.
pub fn body(out: &mut String, context: &Context, s: &Struct) -> Result<()> {
    writeln!(out, "fn write(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {{")?;
    let flexible = match (context.always_flexible(), context.first_flexible) {
        (None, Some(from)) => format!("version >= {from}"),
        (always, _) => always.unwrap_or(false).to_string(),
    };
    writeln!(out, "let flexible = {flexible};")?;
    for field in &s.fields {
        let write = if field.tag.is_none() { write_field(context, field) } else { String::new() };
        let Some(condition) = context.condition(field.versions) else {
            writeln!(out, "{write}")?;
            continue;
        };
        if !field.ignorable {
            let refuse = format!(
                "return Err(EncodeError::NotInVersion {{ field: \"{}\", version }});",
                field.name
            );
            let differs = differs(field);
            if write.is_empty() {
                writeln!(out, "if !({condition}) && {differs} {{ {refuse} }}")?;
            } else {
                writeln!(out, "if {condition} {{ {write} }} else if {differs} {{ {refuse} }}")?;
            }
        } else if !write.is_empty() {
            writeln!(out, "if {condition} {{ {write} }}")?;
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
    writeln!(out, "Ok(())\n}}")
}

fn tags(out: &mut String, context: &Context, s: &Struct) -> Result<()> {
    let mut tagged: Vec<_> =
        s.fields.iter().filter_map(|field| Some((field.tag?, field))).collect();
    if tagged.is_empty() {
        return writeln!(out, "w.no_tags();");
    }
    tagged.sort_by_key(|(tag, _)| *tag);
    writeln!(out, "let mut tags = w.begin_tags();")?;
    for (tag, field) in tagged {
        let condition = match context.condition(field.versions) {
            None => String::new(),
            Some(condition) => format!("{condition} && "),
        };
        writeln!(out, "if {condition}{} {{", differs(field))?;
        writeln!(out, "let tag = w.begin_tag(&mut tags, {tag});")?;
        writeln!(out, "{}", write_field(context, field))?;
        writeln!(out, "w.end_tag(&tag)?;\n}}")?;
    }
    writeln!(out, "w.end_tags(&tags);")
}

/// The statement that writes a field in a version that has it.
fn write_field(context: &Context, field: &Field) -> String {
    let name = ident(&field.name);
    if !field.is_option() {
        return write_plain(&field.kind, &format!("self.{name}"), false);
    }
    let refuse = format!(
        "return Err(EncodeError::UnexpectedNull {{ field: \"{}\", version }});",
        field.name
    );
    let presence = if field.tag.is_some() { "w.tagged_presence" } else { "w.presence" };
    let null = match &field.kind {
        Kind::Struct(_) => format!("{presence}(false);"),
        Kind::String => "w.nullable_string(None, flexible)?;".to_owned(),
        _ => "w.null(flexible);".to_owned(),
    };
    // A nullable struct says that it is there, in the versions where it need not be.
    let present = match &field.kind {
        Kind::Struct(_) => format!("{presence}(true);"),
        _ => String::new(),
    };
    let within = Context { first_flexible: context.first_flexible, versions: field.versions };
    let (when_null, present) = match field.nullable {
        None => (refuse, String::new()),
        Some(nullable) => match within.condition(nullable) {
            None => (null, present),
            Some(condition) => (
                format!("if {condition} {{ {null} }} else {{ {refuse} }}"),
                format!("if {condition} {{ {present} }}"),
            ),
        },
    };
    format!(
        "match &self.{name} {{ Some(value) => {{ {present} {} }} None => {{ {when_null} }} }}",
        write_plain(&field.kind, "value", true)
    )
}

/// The statement that writes a value that is not null; `place` is the value or, in a match or
/// loop, a reference to it.
fn write_plain(kind: &Kind, place: &str, is_reference: bool) -> String {
    let reference = if is_reference { "" } else { "&" };
    let copied = if is_reference { "*" } else { "" };
    match kind {
        Kind::Struct(_) => format!("{place}.write(w, version)?;"),
        Kind::Array(element) => format!(
            "w.length({place}.len(), flexible)?; for element in {reference}{place} {{ {} }}",
            write_plain(element, "element", true)
        ),
        Kind::String | Kind::Bytes | Kind::Records => {
            format!("w.{}({reference}{place}, flexible)?;", method(kind))
        }
        kind => format!("w.{}({copied}{place});", method(kind)),
    }
}

/// The expression that a field is not its default.
pub fn differs(field: &Field) -> String {
    let name = format!("self.{}", ident(&field.name));
    if field.defaults_to_null() {
        return format!("{name}.is_some()");
    }
    match (&field.kind, field.is_option()) {
        (Kind::Bool, _) if field.default.as_deref() == Some("true") => format!("!{name}"),
        (Kind::Bool, _) => name,
        (Kind::Float64, _) => {
            format!("{name} != {}", field.default.as_deref().unwrap_or("0.0"))
        }
        (Kind::Uuid, _) => format!("!{name}.is_zero()"),
        (Kind::String, false) => match &field.default {
            None => format!("!{name}.is_empty()"),
            Some(text) => format!("{name} != {text:?}"),
        },
        (Kind::Struct(inner), false) => format!("{name} != {inner}::default()"),
        (Kind::Struct(inner), true) => format!("{name} != Some({inner}::default())"),
        (Kind::String | Kind::Bytes | Kind::Records | Kind::Array(_), true) => {
            format!("{name}.as_ref().is_none_or(|value| !value.is_empty())")
        }
        (Kind::Bytes | Kind::Records | Kind::Array(_), false) => format!("!{name}.is_empty()"),
        (Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 | Kind::Uint16 | Kind::Uint32, _) => {
            format!("{name} != {}", field.default.as_deref().unwrap_or("0"))
        }
    }
}
