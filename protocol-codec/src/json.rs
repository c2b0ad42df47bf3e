//! Writing JSON: for those who look into files. Nothing here reads it.

use std::fmt::Write as _;

/// Builds one JSON text. Commas come by themselves; that every `begin` has its `end`, and every
/// value in an object its key, is the caller's business.
#[derive(Clone, Debug, Default)]
pub struct JsonWriter {
    text: String,
    needs_comma: bool,
}

impl JsonWriter {
    /// An empty text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The text.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }

    /// `{`
    pub fn begin_object(&mut self) {
        self.begin('{');
    }

    /// `}`
    pub fn end_object(&mut self) {
        self.end('}');
    }

    /// `[`
    pub fn begin_array(&mut self) {
        self.begin('[');
    }

    /// `]`
    pub fn end_array(&mut self) {
        self.end(']');
    }

    /// The key of the value that comes next.
    pub fn key(&mut self, key: &str) {
        self.comma();
        self.quoted(key);
        self.text.push(':');
        self.needs_comma = false;
    }

    /// A string.
    pub fn string(&mut self, value: &str) {
        self.comma();
        self.quoted(value);
    }

    /// Bytes as a string of standard base64, as Kafka's converters write them.
    pub fn base64(&mut self, bytes: &[u8]) {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        self.comma();
        self.text.push('"');
        for chunk in bytes.chunks(3) {
            let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for at in 0..4 {
                let index = (bits >> (18 - 6 * at) & 0x3f) as usize;
                let digit = ALPHABET.get(index).filter(|_| at <= chunk.len());
                self.text.push(digit.map_or('=', |digit| char::from(*digit)));
            }
        }
        self.text.push('"');
    }

    /// A whole number.
    pub fn int(&mut self, value: i64) {
        self.raw(format_args!("{value}"));
    }

    /// A number; those that JSON has no word for are null.
    pub fn float(&mut self, value: f64) {
        if value.is_finite() { self.raw(format_args!("{value:?}")) } else { self.null() }
    }

    /// `true` or `false`
    pub fn bool(&mut self, value: bool) {
        self.raw(format_args!("{value}"));
    }

    /// A value that is JSON already.
    pub fn json(&mut self, value: &str) {
        self.raw(format_args!("{value}"));
    }

    /// `null`
    pub fn null(&mut self) {
        self.raw(format_args!("null"));
    }

    fn begin(&mut self, bracket: char) {
        self.comma();
        self.text.push(bracket);
        self.needs_comma = false;
    }

    fn end(&mut self, bracket: char) {
        self.text.push(bracket);
        self.needs_comma = true;
    }

    fn comma(&mut self) {
        if self.needs_comma {
            self.text.push(',');
        }
        self.needs_comma = true;
    }

    fn raw(&mut self, value: std::fmt::Arguments<'_>) {
        self.comma();
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(value);
    }

    fn quoted(&mut self, value: &str) {
        self.text.push('"');
        for character in value.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                control if control.is_control() => {
                    let _ = write!(self.text, "\\u{:04x}", u32::from(control));
                }
                other => self.text.push(other),
            }
        }
        self.text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_separated_and_escaped() {
        let mut w = JsonWriter::new();
        w.begin_object();
        w.key("a");
        w.begin_array();
        w.int(-1);
        w.float(0.5);
        w.float(f64::NAN);
        w.bool(true);
        w.begin_object();
        w.end_object();
        w.end_array();
        w.key("b\"");
        w.string("q\" b\\ n\n u\u{1} ü");
        w.key("c");
        w.null();
        w.end_object();
        let wanted = r#"{"a":[-1,0.5,null,true,{}],"b\"":"q\" b\\ n\n u\u0001 ü","c":null}"#;
        assert_eq!(w.finish(), wanted);
    }

    #[test]
    fn base64_is_padded() {
        for (bytes, wanted) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            let mut w = JsonWriter::new();
            w.base64(bytes.as_bytes());
            assert_eq!(w.finish(), format!("\"{wanted}\""));
        }
        let mut w = JsonWriter::new();
        w.base64(&[0xfb, 0xff]);
        assert_eq!(w.finish(), "\"+/8=\"");
    }
}
