//! Emits `write_json`: a struct in one of its versions as JSON, for people who look into files.
//! Names and values are those of Kafka's own converters, so that tools for its output read ours.

use std::fmt::Write as _;

use crate::emit::{Context, Result, ident};
use crate::emit_encode::differs;
use crate::model::{Field, Kind, Struct};

/// The method `write_json` of a struct.
pub fn body(out: &mut String, context: &Context, s: &Struct) -> Result<()> {
    writeln!(out, "/// Writes the fields that this version has.")?;
    writeln!(out, "pub fn write_json(&self, w: &mut crate::json::JsonWriter, version: i16) {{")?;
    writeln!(out, "w.begin_object();")?;
    for field in &s.fields {
        let mut write = format!("w.key({:?}); {}", camel(&field.name), write_field(field));
        // A tagged field that is not on the wire is not shown either.
        if field.tag.is_some() {
            write = format!("if {} {{ {write} }}", differs(field));
        }
        match context.condition(field.versions) {
            Some(condition) => writeln!(out, "if {condition} {{ {write} }}")?,
            None => writeln!(out, "{write}")?,
        }
    }
    writeln!(out, "w.end_object();\n}}")
}

fn write_field(field: &Field) -> String {
    let place = format!("self.{}", ident(&field.name));
    if !field.is_option() {
        return write_plain(&field.kind, &place, false);
    }
    let present = write_plain(&field.kind, "value", true);
    format!("match &{place} {{ Some(value) => {{ {present} }} None => w.null() }}")
}

fn write_plain(kind: &Kind, place: &str, is_reference: bool) -> String {
    let reference = if is_reference { "" } else { "&" };
    let copied = if is_reference { "*" } else { "" };
    match kind {
        Kind::Struct(_) => format!("{place}.write_json(w, version);"),
        Kind::Array(element) => format!(
            "w.begin_array(); for element in {reference}{place} {{ {} }} w.end_array();",
            write_plain(element, "element", true)
        ),
        Kind::String => format!("w.string({reference}{place});"),
        Kind::Bytes => format!("w.base64({reference}{place});"),
        Kind::Uuid => format!("w.string(&{place}.to_string());"),
        Kind::Bool => format!("w.bool({copied}{place});"),
        Kind::Float64 => format!("w.float({copied}{place});"),
        // Records are in no structure that is stored.
        Kind::Records => "w.null();".to_owned(),
        Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 | Kind::Uint16 | Kind::Uint32 => {
            format!("w.int(i64::from({copied}{place}));")
        }
    }
}

/// `topic_id` is `topicId` in JSON.
fn camel(name: &str) -> String {
    let mut camel = String::new();
    for (at, part) in name.split('_').enumerate() {
        let mut chars = part.chars();
        match chars.next() {
            Some(first) if at > 0 => camel.extend(first.to_uppercase()),
            Some(first) => camel.push(first),
            None => {}
        }
        camel.push_str(chars.as_str());
    }
    camel
}
