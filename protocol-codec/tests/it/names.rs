//! Every value stands in the field of its name. Equal bytes alone would not show two fields of the
//! same type that have each other's name.
//!
//! `Golden.java` makes each value from a hash of its path in the message. The derived `Debug` output
//! of our message has the names and the values, so it is read here as a tree of fields.

use protocol_codec::Uuid;

use crate::golden;

const DEFAULTS_TO_TRUE: [&str; 4] =
    ["/allowautotopiccreation", "/ackwhencommitted", "/isfenced", "/allowreplicationfactorchange"];

#[test]
fn every_value_stands_in_the_field_of_its_name() {
    for line in golden::messages().filter(|line| line.filling != "default") {
        for version in &line.versions {
            let decoded = line.decode(*version, line.bytes.clone()).unwrap();
            let text = format!("{decoded:?}");
            let mut walk = Walk { rest: &text, found: 0 };
            walk.value(line.filling);
            assert_eq!(walk.rest, "");
            assert_eq!(walk.found, line.leaves, "{}: {text}", line.title(*version));
        }
    }
}

/// A position in `Debug` output, and how many values have been found where they belong.
struct Walk<'a> {
    rest: &'a str,
    found: usize,
}

impl<'a> Walk<'a> {
    fn value(&mut self, path: &str) {
        if self.skip("[") {
            let mut at = 0;
            while !self.skip("]") {
                self.value(&format!("{path}/{at}"));
                self.skip(", ");
                at += 1;
            }
        } else if self.rest.starts_with('"') || self.rest.starts_with("b\"") {
            self.leaf(path, "\"");
        } else {
            let name = self.rest.split([' ', '(', ',', ')', ']', '}']).next().unwrap();
            match &self.rest[name.len()..] {
                after if after.starts_with(" {") => self.fields(path, name),
                after if after.starts_with('(') => {
                    // The wrapper of an option, of records or of one kind of message.
                    self.rest = &after[1..];
                    self.value(path);
                    assert!(self.skip(")"), "{}", self.rest);
                }
                _ => self.leaf(path, ""),
            }
        }
    }

    fn fields(&mut self, path: &str, name: &str) {
        self.rest = &self.rest[name.len()..];
        assert!(self.skip(" { "));
        while !self.skip(" }") {
            let (field, rest) = self.rest.split_once(": ").unwrap();
            self.rest = rest;
            let field = field.trim_start_matches("r#").replace('_', "");
            self.value(&format!("{path}/{field}"));
            self.skip(", ");
        }
    }

    fn leaf(&mut self, path: &str, quote: &str) {
        let opened = self.rest.find(quote).unwrap() + quote.len();
        let closed = match quote {
            "" => self.rest.find([',', ')', ']', '}', ' ']).unwrap_or(self.rest.len()),
            quote => opened + self.rest[opened..].find(quote).unwrap() + quote.len(),
        };
        let (value, rest) = self.rest.split_at(closed);
        self.rest = rest;
        if value == "true" {
            // A false one may not be there at all, and some are true where they are not there.
            let defaults_to_true = DEFAULTS_TO_TRUE.iter().any(|name| path.ends_with(name));
            assert!(hash(path) & 1 == 1 || defaults_to_true, "{path} is {value}");
        } else if made_from(path).contains(&value.to_owned()) {
            self.found += 1;
        }
    }

    fn skip(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

/// What `Golden.java` puts at this path, for each type that it may have there.
fn made_from(path: &str) -> Vec<String> {
    let h = i64::from(hash(path));
    let sign = if h >> 31 == 1 { -1 } else { 1 };
    let wide = |path: &str| i64::from(hash(&format!("{path}#"))) << 32 | i64::from(hash(path));
    let high = wide(path).to_be_bytes();
    let low = wide(&format!("{path}/")).to_be_bytes();
    let uuid = Uuid::from_bytes([high, low].concat().try_into().unwrap());
    let long = if h % 13 == 0 { "x".repeat(130) } else { String::new() };
    let accent = if h % 7 == 0 { "é" } else { "" };
    let text = base_36(h);
    vec![
        ((h % 100 + 5) * sign).to_string(),
        ((h % 32_000 + 5) * sign).to_string(),
        (h % 65_000 + 5).to_string(),
        h.to_string(),
        (h as i32).to_string(),
        wide(path).to_string(),
        format!("{:?}", h as f64 / 16.0),
        uuid.to_string(),
        format!("\"s{text}{long}{accent}\""),
        format!("b\"b{text}{long}\""),
        format!("b\"r{text}{long}\""),
    ]
}

fn base_36(mut number: i64) -> String {
    let mut digits = Vec::new();
    while number > 0 {
        digits.push(char::from_digit((number % 36) as u32, 36).unwrap());
        number /= 36;
    }
    digits.iter().rev().collect()
}

/// FNV-1a of 32 bits.
fn hash(path: &str) -> u32 {
    path.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
