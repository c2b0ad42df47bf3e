//! Writes random messages from a schema: an own small encoder, which shares nothing with the one
//! under test but the schema files.

use bytes::{BufMut, Bytes, BytesMut};

use super::model::{Field, Kind, Schema, Struct, Versions};

/// A message of this version. The same seed gives the same message.
pub(super) fn message(schema: &Schema, message: &Struct, version: i16, seed: u64) -> Bytes {
    let flexible = message.first_flexible.is_some_and(|from| version >= from);
    let mut generator = Generator { schema, version, flexible, state: seed + 1, depth: 0 };
    let mut out = BytesMut::new();
    generator.put_struct(&mut out, message);
    out.freeze()
}

struct Generator<'a> {
    schema: &'a Schema,
    version: i16,
    flexible: bool,
    state: u64,
    depth: u32,
}

impl Generator<'_> {
    /// Splitmix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.random().is_multiple_of(n)
    }

    fn has(&self, versions: Versions) -> bool {
        (versions.min..=versions.max).contains(&self.version)
    }

    fn put_struct(&mut self, out: &mut BytesMut, s: &Struct) {
        for field in s.fields.iter().filter(|field| field.tag.is_none()) {
            if self.has(field.versions) {
                self.put_field(out, field);
            }
        }
        if !self.flexible {
            return;
        }
        let mut tagged: Vec<_> = s
            .fields
            .iter()
            .filter(|field| field.tag.is_some() && self.has(field.versions))
            .collect();
        tagged.sort_by_key(|field| field.tag);
        tagged.retain(|_| !self.one_in(3));
        let mut fields = BytesMut::new();
        let mut count = 0;
        for field in tagged {
            let mut content = BytesMut::new();
            self.put_field(&mut content, field);
            if self.is_default(field, &content) {
                continue;
            }
            count += 1;
            put_varint(&mut fields, field.tag.unwrap());
            put_varint(&mut fields, content.len() as u32);
            fields.extend_from_slice(&content);
        }
        put_varint(out, count);
        out.extend_from_slice(&fields);
    }

    /// Whether a tagged field has its default, which is not written. Random numbers are never
    /// default; nulls, empty values and false may be.
    fn is_default(&self, field: &Field, content: &[u8]) -> bool {
        match (&field.kind, field.defaults_to_null()) {
            (Kind::Bool, _) => content == [0],
            (Kind::Struct(_), _) => false,
            (_, true) => content == [0],
            (Kind::String | Kind::Bytes | Kind::Array(_), false) => content == [1],
            _ => false,
        }
    }

    fn put_field(&mut self, out: &mut BytesMut, field: &Field) {
        let nullable = field.nullable.is_some_and(|versions| self.has(versions));
        if nullable && self.one_in(4) {
            match &field.kind {
                Kind::Struct(_) => out.put_i8(-1),
                _ if self.flexible => put_varint(out, 0),
                Kind::String => out.put_i16(-1),
                _ => out.put_i32(-1),
            }
            return;
        }
        if nullable && matches!(field.kind, Kind::Struct(_)) {
            out.put_i8(1);
        }
        self.put(out, &field.kind);
    }

    fn put(&mut self, out: &mut BytesMut, kind: &Kind) {
        match kind {
            Kind::Bool => out.put_u8(u8::from(self.one_in(2))),
            Kind::Int8 => out.put_u8(self.random() as u8 | 4),
            Kind::Int16 | Kind::Uint16 => out.put_u16(self.random() as u16 | 4),
            Kind::Int32 | Kind::Uint32 => out.put_u32(self.random() as u32 & !1 | 4),
            Kind::Int64 => out.put_u64(self.random() & !1 | 4),
            Kind::Float64 => out.put_f64(self.random() as f64),
            Kind::Uuid => {
                out.put_u64(self.random());
                out.put_u64(self.random());
            }
            Kind::String => {
                let text = self.text();
                if self.flexible {
                    put_varint(out, text.len() as u32 + 1);
                } else {
                    out.put_u16(text.len() as u16);
                }
                out.put_slice(text.as_bytes());
            }
            Kind::Bytes | Kind::Records => {
                let content = self.text();
                self.put_length(out, content.len());
                out.put_slice(content.as_bytes());
            }
            Kind::Struct(name) => {
                let inner = self.schema.structs.iter().find(|known| known.name == *name);
                self.put_struct(out, inner.unwrap());
            }
            Kind::Array(element) => {
                // Deeper arrays are shorter, so that messages stay small.
                let count = self.random() % u64::from(5 - self.depth.min(3));
                self.put_length(out, count as usize);
                self.depth += 1;
                for _ in 0..count {
                    self.put(out, element);
                }
                self.depth -= 1;
            }
        }
    }

    fn put_length(&mut self, out: &mut BytesMut, length: usize) {
        if self.flexible {
            put_varint(out, length as u32 + 1);
        } else {
            out.put_u32(length as u32);
        }
    }

    fn text(&mut self) -> String {
        let length = if self.one_in(20) { 200 } else { self.random() % 12 };
        (0..length).map(|_| ['a', 'Z', '7', '.', 'ß', '日'][self.random() as usize % 6]).collect()
    }
}

fn put_varint(out: &mut BytesMut, mut value: u32) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}
