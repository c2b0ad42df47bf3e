//! The shape of one row of the config table, and the small words the rows are written in.
//!
//! A row is a chain of `const` calls that starts with the key's type (`int("node.id")`) and ends
//! with what we do about the key (`.acted("...")`, `.known("...")`, `.protects("...")`), each with
//! the sentence that `DescribeConfigs` shows as documentation.

/// A key's data type, by Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    Short,
    Int,
    Long,
    Double,
    String,
    /// Comma-separated.
    List,
    /// The name of a Java class. Known names stand for something built in.
    Class,
    /// Like a string, but never shown.
    Password,
}

impl Kind {
    /// Kafka's name of the type, as in "Not a number of type INT".
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Short => "SHORT",
            Self::Int => "INT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::String => "STRING",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }

    /// The number of the type in a `DescribeConfigs` response (KIP-569).
    pub fn wire_id(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }
}

/// Which values a key takes, beyond what its type says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Valid {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    BetweenDoubles(f64, f64),
    /// One of these words; for a list, every element is.
    OneOf(&'static [&'static str]),
    OneOfIgnoreCase(&'static [&'static str]),
    /// A gzip level, or -1 for the codec's default.
    GzipLevel,
    NonEmpty,
    NonEmptyList,
    /// `partition:broker` pairs, or `*`.
    ThrottledReplicas,
    /// latest, earliest or `by_duration:` and an ISO-8601 duration.
    OffsetReset,
}

/// Who may change a broker key at run time (KIP-226).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateMode {
    /// Only by a restart.
    ReadOnly,
    /// Dynamically, for one broker at a time.
    PerBroker,
    /// Dynamically, for one broker or as the default of all.
    ClusterWide,
}

impl UpdateMode {
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::PerBroker => "per-broker",
            Self::ClusterWide => "cluster-wide",
        }
    }
}

/// What this release does about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// The value has the effect that Kafka's documentation promises.
    Acted,
    /// Accepted, checked and shown, without effect yet; setting it is warned of once.
    Known,
    /// It protects something and is not there yet: the start is refused when it takes effect.
    Protects,
}

/// One configuration key.
#[derive(Debug, Clone, Copy)]
pub struct ConfigKey {
    pub name: &'static str,
    pub kind: Kind,
    /// None is Kafka's `null`: no value unless one is given.
    pub default: Option<&'static str>,
    /// Kafka refuses to start without it; here a built-in value stands in.
    pub required: bool,
    pub valid: Valid,
    pub update: UpdateMode,
    /// For a topic or group key: the broker keys that hold its default, strongest first.
    pub broker_defaults: &'static [&'static str],
    /// Not shown unless set, as in Kafka.
    pub internal: bool,
    pub treatment: Treatment,
    pub doc: &'static str,
}

pub(super) const fn boolean(name: &'static str) -> ConfigKey {
    ConfigKey::new(name, Kind::Boolean)
}
pub(super) const fn short(name: &'static str) -> ConfigKey {
    ConfigKey::new(name, Kind::Short)
}
pub(super) const fn int(name: &'static str) -> ConfigKey {
    ConfigKey::new(name, Kind::Int)
}
pub(super) const fn long(name: &'static str) -> ConfigKey {
    ConfigKey::new(name, Kind::Long)
}
pub(super) const fn double(name: &'static str) -> ConfigKey {
    ConfigKey::new(name, Kind::Double)
}
pub(super) const fn string(name: &'static str) -> ConfigKey {
    ConfigKey::new(name, Kind::String)
}
pub(super) const fn list(name: &'static str) -> ConfigKey {
    ConfigKey::new(name, Kind::List)
}
pub(super) const fn class(name: &'static str) -> ConfigKey {
    ConfigKey::new(name, Kind::Class)
}
pub(super) const fn password(name: &'static str) -> ConfigKey {
    ConfigKey::new(name, Kind::Password)
}

impl ConfigKey {
    /// Whether the value must never be shown.
    pub fn is_sensitive(&self) -> bool {
        self.kind == Kind::Password
    }

    const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            default: None,
            required: false,
            valid: Valid::Any,
            update: UpdateMode::ReadOnly,
            broker_defaults: &[],
            internal: false,
            treatment: Treatment::Known,
            doc: "",
        }
    }

    pub(super) const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }
    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }
    pub(super) const fn valid(mut self, valid: Valid) -> Self {
        self.valid = valid;
        self
    }
    pub(super) const fn min(self, least: i64) -> Self {
        self.valid(Valid::AtLeast(least))
    }
    pub(super) const fn range(self, least: i64, most: i64) -> Self {
        self.valid(Valid::Between(least, most))
    }
    pub(super) const fn one_of(self, words: &'static [&'static str]) -> Self {
        self.valid(Valid::OneOf(words))
    }
    pub(super) const fn per_broker(mut self) -> Self {
        self.update = UpdateMode::PerBroker;
        self
    }
    pub(super) const fn cluster_wide(mut self) -> Self {
        self.update = UpdateMode::ClusterWide;
        self
    }
    pub(super) const fn falls_back_to(mut self, broker_keys: &'static [&'static str]) -> Self {
        self.broker_defaults = broker_keys;
        self
    }
    pub(super) const fn internal(mut self) -> Self {
        self.internal = true;
        self
    }
    pub(super) const fn acted(self, doc: &'static str) -> Self {
        self.treated(Treatment::Acted, doc)
    }
    pub(super) const fn known(self, doc: &'static str) -> Self {
        self.treated(Treatment::Known, doc)
    }
    pub(super) const fn protects(self, doc: &'static str) -> Self {
        self.treated(Treatment::Protects, doc)
    }
    const fn treated(mut self, treatment: Treatment, doc: &'static str) -> Self {
        self.treatment = treatment;
        self.doc = doc;
        self
    }
}
