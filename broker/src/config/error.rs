//! Why a configuration is refused: one sentence that names the place, the key, the value and what
//! is allowed. Such an error ends the process with exit code 1.

use std::fmt;
use std::path::PathBuf;

use super::properties::MalformedEscape;
use super::settings::{Origin, Setting, shown};
use super::value::InvalidValue;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: not UTF-8 text", path.display())]
    NotText { path: PathBuf },
    #[error("{}, {source}", path.display())]
    Syntax { path: PathBuf, source: MalformedEscape },
    #[error("--override {given}: give it as key=value")]
    Override { given: String },
    #[error("{at}{name}={shown} is not valid: allowed is {allowed}")]
    Value { at: Place, name: String, shown: String, allowed: String },
    /// Settings that contradict each other, or that this release cannot honour.
    #[error("{at}{sentence}")]
    Refused { at: Place, sentence: String },
}

/// The start of a sentence about a setting: "server.properties:12: ", or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place(Option<Origin>);

impl From<Option<&Setting>> for Place {
    fn from(setting: Option<&Setting>) -> Self {
        Self(setting.map(|setting| setting.origin.clone()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(origin) => write!(f, "{origin}: "),
            None => Ok(()),
        }
    }
}

impl ConfigError {
    pub(super) fn value(name: &str, setting: Option<&Setting>, invalid: InvalidValue) -> Self {
        let InvalidValue { shown, allowed, .. } = invalid;
        Self::Value { at: setting.into(), name: name.to_owned(), shown, allowed }
    }

    /// `name=value` and why it cannot be.
    pub(super) fn refused(name: &str, setting: Option<&Setting>, why: impl fmt::Display) -> Self {
        let value = setting.map_or(String::new(), |setting| shown(name, &setting.value));
        Self::Refused { at: setting.into(), sentence: format!("{name}={value}: {why}") }
    }
}
