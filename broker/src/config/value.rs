//! One configuration value: parsing by type, checking by rule, and writing it back.
//!
//! What is accepted, and the sentences for what is not, are those of Kafka's `ConfigDef`, because
//! they travel to clients in `CreateTopics` and `AlterConfigs` answers.

use std::collections::HashSet;
use std::fmt;

use super::table::{ConfigKey, Kind, Valid};

/// A parsed value of a key's type.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Boolean(bool),
    /// SHORT, INT and LONG.
    Number(i64),
    Double(f64),
    /// STRING and CLASS.
    Text(String),
    Secret(String),
    List(Vec<String>),
}

/// Why a value is refused: Kafka's sentence, and what would be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct InvalidValue {
    /// The value as it may be shown: a password's never is.
    pub shown: String,
    pub sentence: String,
    /// What is allowed, as a noun phrase: "a whole number of at least 1".
    pub allowed: String,
}

/// The text that stands for a value that must not be shown.
pub const HIDDEN: &str = "[hidden]";

/// Parses `text` as a value of `key` and checks it by the key's rule.
///
/// `name` is the name the value was given under, which may carry a listener prefix.
pub fn parse(key: &ConfigKey, name: &str, text: &str) -> Result<Value, InvalidValue> {
    let shown = if key.is_sensitive() { HIDDEN } else { text };
    let refuse = |refusal: Refusal| InvalidValue {
        shown: shown.to_owned(),
        sentence: refusal.sentence(name, shown),
        allowed: allowed(key),
    };
    let value = parse_type(key.kind, text).map_err(refuse)?;
    check(key, &value).map_err(refuse)?;
    Ok(value)
}

/// Why a value is refused, before it is put into Kafka's words.
enum Refusal {
    /// "Invalid value ... for configuration ...: " and this.
    Whole(String),
    /// The same about one part of the value, given as it is shown.
    Part(String, String),
    /// "Configuration '...' " and this.
    List(String),
}

impl Refusal {
    fn sentence(self, name: &str, shown: &str) -> String {
        let invalid = |value: &str, reason: &str| {
            format!(
                "Invalid value {value} for configuration {name}: {}",
                reason.replace("{name}", name)
            )
        };
        match self {
            Self::Whole(reason) => invalid(shown, &reason),
            Self::Part(part, reason) => invalid(&part, &reason),
            Self::List(reason) => format!("Configuration '{name}' {reason}"),
        }
    }
}

fn parse_type(kind: Kind, text: &str) -> Result<Value, Refusal> {
    let trimmed = text.trim();
    let whole = |least: i64, most: i64| {
        let number = trimmed.parse::<i64>().ok().filter(|n| (least..=most).contains(n));
        let reason = || Refusal::Whole(format!("Not a number of type {}", kind.name()));
        number.map(Value::Number).ok_or_else(reason)
    };
    match kind {
        Kind::Boolean => match trimmed.to_ascii_lowercase().as_str() {
            "true" => Ok(Value::Boolean(true)),
            "false" => Ok(Value::Boolean(false)),
            _ => Err(Refusal::Whole("Expected value to be either true or false".to_owned())),
        },
        Kind::Short => whole(i64::from(i16::MIN), i64::from(i16::MAX)),
        Kind::Int => whole(i64::from(i32::MIN), i64::from(i32::MAX)),
        Kind::Long => whole(i64::MIN, i64::MAX),
        Kind::Double => match trimmed.parse::<f64>() {
            Ok(number) if !number.is_nan() => Ok(Value::Double(number)),
            _ => Err(Refusal::Whole("Not a number of type DOUBLE".to_owned())),
        },
        Kind::String | Kind::Class => Ok(Value::Text(trimmed.to_owned())),
        Kind::Password => Ok(Value::Secret(trimmed.to_owned())),
        Kind::List => {
            let mut elements = split_list(trimmed);
            if elements.iter().any(String::is_empty) {
                return Err(Refusal::List("values must not be empty.".to_owned()));
            }
            let mut seen = HashSet::new();
            elements.retain(|element| seen.insert(element.clone()));
            Ok(Value::List(elements))
        }
    }
}

/// Splits a comma-separated value; an empty one has no elements.
pub fn split_list(text: &str) -> Vec<String> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    text.split(',').map(|element| element.trim().to_owned()).collect()
}

fn check(key: &ConfigKey, value: &Value) -> Result<(), Refusal> {
    let whole = |reason: String| Err(Refusal::Whole(reason));
    match (key.valid, value) {
        (Valid::AtLeast(least), Value::Number(n)) => bounds(*n, least, i64::MAX),
        (Valid::Between(least, most), Value::Number(n)) => bounds(*n, least, most),
        (Valid::BetweenDoubles(least, _), Value::Double(n)) if *n < least => {
            Err(Refusal::Part(java_number(*n), format!("Value must be at least {least}")))
        }
        (Valid::BetweenDoubles(_, most), Value::Double(n)) if *n > most => {
            Err(Refusal::Part(java_number(*n), format!("Value must be no more than {most}")))
        }
        (Valid::GzipLevel, Value::Number(n)) if *n != -1 && !(1..=9).contains(n) => {
            whole("Value must be between 1 and 9 or equal to -1".to_owned())
        }
        (Valid::OneOf(words), Value::Text(text)) => one_of(words, text),
        (Valid::OneOf(words), Value::List(list)) => {
            list.iter().try_for_each(|text| one_of(words, text))
        }
        (Valid::OneOfIgnoreCase(words), Value::Text(text)) => {
            if words.iter().any(|word| word.eq_ignore_ascii_case(text)) {
                return Ok(());
            }
            whole(format!("String must be one of (case insensitive): {}", words.join(", ")))
        }
        (Valid::NonEmpty, Value::Text(text)) if text.is_empty() => {
            whole("String must be non-empty".to_owned())
        }
        (Valid::NonEmptyList, Value::List(list)) if list.is_empty() => Err(Refusal::List(
            "must not be empty. Valid values include: any non-empty value".to_owned(),
        )),
        (Valid::ThrottledReplicas, Value::List(list)) => throttled_replicas(list),
        (Valid::OffsetReset, Value::Text(text)) => offset_reset(text),
        _ => Ok(()),
    }
}

fn bounds(n: i64, least: i64, most: i64) -> Result<(), Refusal> {
    if n < least {
        Err(Refusal::Whole(format!("Value must be at least {least}")))
    } else if n > most {
        Err(Refusal::Whole(format!("Value must be no more than {most}")))
    } else {
        Ok(())
    }
}

fn one_of(words: &[&str], text: &str) -> Result<(), Refusal> {
    if words.contains(&text) {
        return Ok(());
    }
    let reason = format!("String must be one of: {}", words.join(", "));
    Err(Refusal::Part(text.to_owned(), reason))
}

fn throttled_replicas(list: &[String]) -> Result<(), Refusal> {
    let pair = |text: &String| {
        let is_number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        text.split_once(':').is_some_and(|(p, b)| is_number(p) && is_number(b))
    };
    if matches!(list, [all] if all == "*") || list.iter().all(pair) {
        return Ok(());
    }
    let reason = "{name} must be the literal '*' or a list of replicas in the following format: \
                  [partitionId]:[brokerId],[partitionId]:[brokerId],...";
    Err(Refusal::Part(format!("[{}]", list.join(", ")), reason.to_owned()))
}

/// `latest`, `earliest`, or `by_duration:` and a duration that is not negative, such as PT1H.
fn offset_reset(text: &str) -> Result<(), Refusal> {
    let duration = match text {
        "latest" | "earliest" => return Ok(()),
        other => other.strip_prefix("by_duration:"),
    };
    if duration.is_some_and(is_iso_duration) {
        return Ok(());
    }
    let reason = "The value must be either 'earliest', 'latest' or of the format \
                  'by_duration:<PnDTnHnMn.nS>'.";
    Err(Refusal::Whole(format!("Invalid value `{text}` for configuration {{name}}. {reason}")))
}

fn is_iso_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else { return false };
    let (days, time) = match rest.split_once('T') {
        Some((_, "")) => return false,
        Some((days, time)) => (days, time),
        None => (rest, ""),
    };
    let fields = |mut text: &str, units: &[char]| {
        let mut next_unit = 0;
        while !text.is_empty() {
            let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(0);
            let (number, tail) = text.split_at(digits);
            let Some(unit) = tail.chars().next() else { return false };
            let Some(at) = units.iter().position(|u| *u == unit) else { return false };
            let fraction_ok = unit == 'S' || !number.contains('.');
            if at < next_unit || number.parse::<f64>().is_err() || !fraction_ok {
                return false;
            }
            next_unit = at + 1;
            text = tail.get(1..).unwrap_or("");
        }
        true
    };
    !(days.is_empty() && time.is_empty()) && fields(days, &['D']) && fields(time, &['H', 'M', 'S'])
}

/// What `key` accepts, as a noun phrase that completes "allowed is ...".
pub fn allowed(key: &ConfigKey) -> String {
    let plain = match key.kind {
        Kind::Boolean => "true or false",
        Kind::Short => "a whole number from -32768 to 32767",
        Kind::Int => "a whole number from -2147483648 to 2147483647",
        Kind::Long => "a whole number",
        Kind::Double => "a number",
        Kind::String | Kind::Password => "any text",
        Kind::List => "a comma-separated list",
        Kind::Class => "the name of a class",
    };
    let list_of = if key.kind == Kind::List { "a comma-separated list of " } else { "" };
    match key.valid {
        Valid::AtLeast(least) => match key.kind {
            Kind::Int => format!("a whole number from {least} to {}", i32::MAX),
            Kind::Short => format!("a whole number from {least} to {}", i16::MAX),
            _ => format!("a whole number of at least {least}"),
        },
        Valid::Between(least, most) => format!("a whole number from {least} to {most}"),
        Valid::BetweenDoubles(least, most) => format!("a number from {least} to {most}"),
        Valid::OneOf(words) => format!("{list_of}{}", words.join(" | ")),
        Valid::OneOfIgnoreCase(words) => words.join(" | ").to_lowercase(),
        Valid::GzipLevel => "a whole number from 1 to 9, or -1".to_owned(),
        Valid::NonEmpty => "a text that is not empty".to_owned(),
        Valid::ThrottledReplicas => "* or pairs such as 0:1,1:2 (partition:broker)".to_owned(),
        Valid::OffsetReset => "latest | earliest | by_duration:PT1H".to_owned(),
        Valid::NonEmptyList => "a comma-separated list that is not empty".to_owned(),
        Valid::Any => plain.to_owned(),
    }
}

impl fmt::Display for Value {
    /// The form in which `DescribeConfigs` shows the value; a secret shows as [`HIDDEN`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Double(value) => f.write_str(&java_number(*value)),
            Self::Text(value) => f.write_str(value),
            Self::Secret(_) => f.write_str(HIDDEN),
            Self::List(value) => f.write_str(&value.join(",")),
        }
    }
}

/// A double as Java prints it: `0.5`, `100.0`, `1.7976931348623157E308`.
fn java_number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{value:?}");
    }
    let scientific = format!("{value:E}");
    match scientific.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        _ => scientific,
    }
}

#[cfg(test)]
mod tests;
