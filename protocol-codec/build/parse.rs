//! Reads a schema file.
//!
//! ```text
//! # What it is for.
//! api 1 Fetch                        or: record 1 OffsetCommit, metadata 2 Topic, data EndTxnMarker
//! versions 4-18
//! flexible 12+                       or: never
//!
//! request                            then response; for a record key and value; otherwise fields
//!   topics        []FetchTopic       a field: name, type, and where they are not "all" or "none":
//!     topic       string     4-12      the versions that have it,
//!     topic_id    uuid       13+       tag N, nullable, nullable 5+, ignorable, = default
//!   struct Shared                    a struct that several fields use
//!     ...
//! ```
//!
//! The fields of a struct stand indented below the field of its type. Versions are those of the
//! message; a field without versions has those of what it stands in.

use super::model::{Field, Kind, Schema, Struct, Versions};

struct Line<'a> {
    number: usize,
    depth: usize,
    words: Vec<&'a str>,
}

/// The versions that a message or a struct in it can have.
#[derive(Clone, Copy)]
struct Shape {
    versions: Versions,
    first_flexible: Option<i16>,
}

/// The schema in `text`.
pub fn schema(module: &str, text: &str) -> Result<Schema, String> {
    let about = text.lines().next().and_then(|line| line.strip_prefix("# "));
    let about = about.ok_or("the first line is not a comment")?.to_owned();
    let lines = lines(text)?;
    let mut lines = lines.as_slice();
    let (kind, number, name) = match words(&mut lines)?.as_slice() {
        ["data", name] => ("data", 0, *name),
        [kind @ ("api" | "record" | "metadata"), number, name] => {
            (*kind, parse_number(number)?, *name)
        }
        other => return Err(format!("not a head: {other:?}")),
    };
    let versions = match words(&mut lines)?.as_slice() {
        ["versions", range] => parse_versions(range, Versions { min: 0, max: i16::MAX })?,
        other => return Err(format!("not the versions: {other:?}")),
    };
    let first_flexible = match words(&mut lines)?.as_slice() {
        ["flexible", "never"] => None,
        ["flexible", from] => Some(parse_versions(from, versions)?.min),
        other => return Err(format!("not the flexible versions: {other:?}")),
    };
    let mut schema = Schema {
        module: module.to_owned(),
        name: name.to_owned(),
        number,
        about,
        messages: Vec::new(),
        structs: Vec::new(),
    };
    let sections: &[(&str, String)] = match kind {
        "api" => &[("request", "Request".into()), ("response", "Response".into())],
        "record" => &[("key", format!("{name}Key")), ("value", format!("{name}Value"))],
        "metadata" => &[("fields", format!("{name}Record"))],
        _ => &[("fields", name.to_owned())],
    };
    for (title, message) in sections {
        if words(&mut lines)?.as_slice() != [*title] {
            return Err(format!("section {title} is missing"));
        }
        // The keys of records have one version, which is not flexible, whatever their values have.
        let shape = match *title {
            "key" => Shape { versions: Versions { min: 0, max: 0 }, first_flexible: None },
            _ => Shape { versions, first_flexible },
        };
        section(&mut schema, message, shape, &mut lines)?;
    }
    match lines.first() {
        None => Ok(schema),
        Some(line) => Err(format!("line {}: nothing more is expected", line.number)),
    }
}

fn lines(text: &str) -> Result<Vec<Line<'_>>, String> {
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() || line.starts_with('#') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        if indent % 2 != 0 {
            return Err(format!("line {}: odd indentation", at + 1));
        }
        lines.push(Line { number: at + 1, depth: indent / 2, words });
    }
    Ok(lines)
}

/// The words of the next line, which is not indented.
fn words<'a>(lines: &mut &[Line<'a>]) -> Result<Vec<&'a str>, String> {
    match lines.split_first() {
        Some((line, rest)) if line.depth == 0 => {
            *lines = rest;
            Ok(line.words.clone())
        }
        Some((line, _)) => Err(format!("line {}: unexpected indentation", line.number)),
        None => Err("the file ends too early".to_owned()),
    }
}

/// The fields of a message, and the structs that several of its fields use.
fn section(
    schema: &mut Schema,
    name: &str,
    shape: Shape,
    lines: &mut &[Line<'_>],
) -> Result<(), String> {
    let fields = fields(schema, shape, 1, lines)?;
    schema.messages.push(new_struct(name, shape, fields));
    while let Some((line, rest)) = lines.split_first() {
        let (name, versions) = match line.words.as_slice() {
            ["struct", name] if line.depth == 1 => (*name, shape.versions),
            ["struct", name, range] if line.depth == 1 => {
                (*name, parse_versions(range, shape.versions)?)
            }
            _ => break,
        };
        *lines = rest;
        let shape = Shape { versions, ..shape };
        let fields = self::fields(schema, shape, 2, lines)?;
        add_struct(schema, new_struct(name, shape, fields))?;
    }
    Ok(())
}

/// The fields at `depth`, and the structs below them.
fn fields(
    schema: &mut Schema,
    shape: Shape,
    depth: usize,
    lines: &mut &[Line<'_>],
) -> Result<Vec<Field>, String> {
    let mut fields = Vec::new();
    while let Some((line, rest)) = lines.split_first() {
        if line.depth != depth || line.words.first() == Some(&"struct") {
            break;
        }
        *lines = rest;
        let at = |e: String| format!("line {}: {e}", line.number);
        let field = field(&line.words, shape.versions).map_err(at)?;
        let inner = Shape { versions: field.versions, ..shape };
        let below = self::fields(schema, inner, depth + 1, lines)?;
        if !below.is_empty() {
            let name = match &field.kind {
                Kind::Struct(name) => name,
                Kind::Array(element) => match &**element {
                    Kind::Struct(name) => name,
                    _ => return Err(at("fields below a primitive".to_owned())),
                },
                _ => return Err(at("fields below a primitive".to_owned())),
            };
            add_struct(schema, new_struct(name, inner, below))?;
        }
        fields.push(field);
    }
    Ok(fields)
}

fn new_struct(name: &str, shape: Shape, fields: Vec<Field>) -> Struct {
    let Shape { versions, first_flexible } = shape;
    Struct { name: name.to_owned(), versions, first_flexible, fields }
}

/// A request and its response may have the same struct, if it is spelled out the same.
fn add_struct(schema: &mut Schema, new: Struct) -> Result<(), String> {
    match schema.structs.iter().find(|known| known.name == new.name) {
        Some(known) if *known == new => Ok(()),
        Some(_) => Err(format!("two different structs {}", new.name)),
        None => {
            schema.structs.push(new);
            Ok(())
        }
    }
}

fn field(words: &[&str], parent: Versions) -> Result<Field, String> {
    let [name, kind, words @ ..] = words else {
        return Err("a field has a name and a type".to_owned());
    };
    let mut words = words.iter().copied().peekable();
    let starts_versions =
        |word: &&str| word.chars().next().is_some_and(|first| first.is_ascii_digit());
    let versions = match words.next_if(starts_versions) {
        Some(range) => parse_versions(range, parent)?,
        None => parent,
    };
    let mut field = Field {
        name: (*name).to_owned(),
        kind: parse_kind(kind)?,
        versions,
        nullable: None,
        tag: None,
        ignorable: false,
        default: None,
    };
    while let Some(word) = words.next() {
        match word {
            "tag" => field.tag = Some(parse_number(words.next().unwrap_or_default())?),
            "nullable" => {
                let range = words.next_if(starts_versions);
                let range = range.map(|range| parse_versions(range, versions)).transpose()?;
                field.nullable = Some(range.unwrap_or(versions));
            }
            "ignorable" => field.ignorable = true,
            "=" => field.default = Some(words.next().ok_or("no default after =")?.to_owned()),
            other => return Err(format!("unknown word {other}")),
        }
    }
    if field.tag.is_some() && matches!(field.kind, Kind::Records) {
        return Err("records cannot be tagged: their bytes may be elsewhere".to_owned());
    }
    Ok(field)
}

fn parse_kind(text: &str) -> Result<Kind, String> {
    Ok(match text {
        "bool" => Kind::Bool,
        "int8" => Kind::Int8,
        "int16" => Kind::Int16,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "uint16" => Kind::Uint16,
        "uint32" => Kind::Uint32,
        "float64" => Kind::Float64,
        "uuid" => Kind::Uuid,
        "string" => Kind::String,
        "bytes" => Kind::Bytes,
        "records" => Kind::Records,
        _ => match text.strip_prefix("[]") {
            Some(element) => Kind::Array(Box::new(parse_kind(element)?)),
            None if text.starts_with(|first: char| first.is_ascii_uppercase()) => {
                Kind::Struct(text.to_owned())
            }
            None => return Err(format!("unknown type {text}")),
        },
    })
}

/// `4`, `4-18` or `4+`, where the open end is that of `within`.
fn parse_versions(text: &str, within: Versions) -> Result<Versions, String> {
    let range = if let Some(min) = text.strip_suffix('+') {
        Versions { min: parse_number(min)?, max: within.max }
    } else if let Some((min, max)) = text.split_once('-') {
        Versions { min: parse_number(min)?, max: parse_number(max)? }
    } else {
        Versions { min: parse_number(text)?, max: parse_number(text)? }
    };
    // Flexible versions may have begun before the first version that is still there.
    let range = Versions { min: range.min.max(within.min), max: range.max };
    if range.min > range.max || range.max > within.max {
        return Err(format!("versions {text} are not within {}-{}", within.min, within.max));
    }
    Ok(range)
}

fn parse_number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("not a number: {text:?}"))
}
