//! What a schema file says, after parsing.

/// A range of versions. Open ends are closed by the range of the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Versions {
    pub min: i16,
    pub max: i16,
}

/// One file: an API, a kind of record in an internal topic, or a structure.
pub struct Schema {
    /// The name of the file, and of the module.
    pub module: String,
    /// Kafka's name.
    pub name: String,
    /// The API key or the record type.
    pub number: i16,
    /// The comment at the top of the file.
    pub about: String,
    /// One message per section; a request and its response, for an API.
    pub messages: Vec<Struct>,
    /// The structs inside the messages.
    pub structs: Vec<Struct>,
}

#[derive(PartialEq)]
pub struct Struct {
    pub name: String,
    /// The versions in which it can occur.
    pub versions: Versions,
    /// The first version of its message with tagged fields and compact lengths.
    pub first_flexible: Option<i16>,
    pub fields: Vec<Field>,
}

#[derive(PartialEq)]
pub struct Field {
    pub name: String,
    pub kind: Kind,
    pub versions: Versions,
    /// The versions in which it may be null.
    pub nullable: Option<Versions>,
    /// Its number, if it is a tagged field.
    pub tag: Option<u32>,
    /// Whether a value is silently dropped in versions without the field.
    pub ignorable: bool,
    /// As written, if it is not zero, empty or false.
    pub default: Option<String>,
}

#[derive(PartialEq, Clone)]
pub enum Kind {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint16,
    Uint32,
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Self>),
}

impl Field {
    /// Whether its type is an `Option`.
    pub fn is_option(&self) -> bool {
        self.nullable.is_some() || self.kind == Kind::Records
    }

    /// Whether it starts as null.
    pub fn defaults_to_null(&self) -> bool {
        self.kind == Kind::Records || self.default.as_deref() == Some("null")
    }
}
