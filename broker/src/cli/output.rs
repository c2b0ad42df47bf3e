//! What the commands that look at files write: lines of named values, as text or as JSON.

use std::fmt::Write as _;
use std::io::{self, BufWriter, StdoutLock, Write};

use protocol_codec::Uuid;
use protocol_codec::json::JsonWriter;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    /// One object a line.
    Json,
}

impl Format {
    pub(super) fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

/// One value of a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Int(i64),
    Bool(bool),
    Text(String),
    /// Shown as text where it is text.
    Bytes(Vec<u8>),
    /// JSON already, in either format.
    Json(String),
    /// Headers of a record.
    Pairs(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    Null,
}

macro_rules! from_int {
    ($($int:ty)*) => {
        $(impl From<$int> for Value {
            fn from(value: $int) -> Self {
                Self::Int(i64::from(value))
            }
        })*
    };
}
from_int!(i8 i16 i32 i64 u32);

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::from(value as u64)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Uuid> for Value {
    fn from(value: Uuid) -> Self {
        Self::Text(value.to_string())
    }
}

impl<V: Into<Self>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Names and values of one line, in order.
pub(super) type Fields<'a> = [(&'a str, Value)];

impl Value {
    fn text(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Int(value) => write!(out, "{value}"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Text(text) | Self::Json(text) => write!(out, "{text}"),
            Self::Bytes(bytes) => write!(out, "{}", escaped(bytes)),
            Self::Pairs(pairs) => {
                let shown: Vec<String> = pairs
                    .iter()
                    .map(|(key, value)| match value {
                        Some(value) => format!("{}={}", escaped(key), escaped(value)),
                        None => escaped(key),
                    })
                    .collect();
                write!(out, "[{}]", shown.join(", "))
            }
            Self::Null => write!(out, "none"),
        };
    }

    fn json(&self, w: &mut JsonWriter) {
        match self {
            Self::Int(value) => w.int(*value),
            Self::Bool(value) => w.bool(*value),
            Self::Text(text) => w.string(text),
            Self::Json(text) => w.json(text),
            Self::Bytes(bytes) => json_bytes(bytes, w),
            Self::Pairs(pairs) => {
                w.begin_array();
                for (key, value) in pairs {
                    w.begin_object();
                    w.key("key");
                    json_bytes(key, w);
                    w.key("value");
                    match value {
                        Some(value) => json_bytes(value, w),
                        None => w.null(),
                    }
                    w.end_object();
                }
                w.end_array();
            }
            Self::Null => w.null(),
        }
    }
}

/// A string where the bytes are text, otherwise an object with their base64.
fn json_bytes(bytes: &[u8], w: &mut JsonWriter) {
    match std::str::from_utf8(bytes) {
        Ok(text) => w.string(text),
        Err(_) => {
            w.begin_object();
            w.key("base64");
            w.base64(bytes);
            w.end_object();
        }
    }
}

/// Bytes on one line: text as it is, everything else as `\xNN`.
pub(super) fn escaped(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                control if control.is_control() => {
                    let mut buffer = [0; 4];
                    hex(control.encode_utf8(&mut buffer).as_bytes(), &mut out);
                }
                other => out.push(other),
            }
        }
        hex(chunk.invalid(), &mut out);
    }
    out
}

fn hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        let _ = write!(out, "\\x{byte:02x}");
    }
}

/// `name: value name: value`, as `kafka-dump-log` writes.
pub(super) fn text_line(fields: &Fields<'_>) -> String {
    let mut out = String::new();
    for (at, (name, value)) in fields.iter().enumerate() {
        let separator = if at == 0 { "" } else { " " };
        let _ = write!(out, "{separator}{name}: ");
        value.text(&mut out);
    }
    out
}

pub(super) fn json_line(fields: &Fields<'_>) -> String {
    let mut w = JsonWriter::new();
    w.begin_object();
    for (name, value) in fields {
        w.key(name);
        value.json(&mut w);
    }
    w.end_object();
    w.finish()
}

/// Standard output, buffered.
pub(super) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(64 << 10, io::stdout().lock())
}

/// Writes a sentence to standard error.
pub(super) fn complain(sentence: &str) {
    // Nobody is left to be told if this fails.
    let _ = writeln!(io::stderr(), "barnabas: {sentence}");
}

/// How a command has ended, of which a part may have been to write to a pipe that was closed.
pub(super) fn exit(result: io::Result<bool>) -> std::process::ExitCode {
    match result {
        Ok(true) => std::process::ExitCode::SUCCESS,
        Ok(false) => std::process::ExitCode::FAILURE,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            std::process::ExitCode::FAILURE
        }
    }
}

/// A size for people: three digits and a unit.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while value >= 1024.0 {
        let Some(next) = units.next() else { break };
        value /= 1024.0;
        unit = Some(next);
    }
    let unit = unit.copied().unwrap_or_default();
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_text_where_they_are() {
        assert_eq!(escaped("grüße\t\u{7}\\".as_bytes()), r"grüße\t\x07\\");
        assert_eq!(escaped(&[b'a', 0xff, 0, b'b']), r"a\xff\x00b");
    }

    #[test]
    fn a_line_has_two_forms() {
        let fields = [
            ("offset", Value::from(7_i64)),
            ("key", Value::Bytes(vec![0xff, 1])),
            ("headers", Value::Pairs(vec![(b"h".to_vec(), Some(b"v".to_vec()))])),
            ("none", Value::Null),
        ];
        assert_eq!(text_line(&fields), r"offset: 7 key: \xff\x01 headers: [h=v] none: none");
        assert_eq!(
            json_line(&fields),
            r#"{"offset":7,"key":{"base64":"/wE="},"headers":[{"key":"h","value":"v"}],"none":null}"#
        );
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!([size(0), size(1023), size(1536)], ["0 B", "1023 B", "1.5 KiB"]);
        assert_eq!(size(5 << 40), "5.0 TiB");
    }
}
