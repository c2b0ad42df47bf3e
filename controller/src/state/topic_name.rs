//! Which topic names are legal, in Kafka's words.

/// The longest legal topic name: with a partition number it still is a legal directory name.
pub const TOPIC_NAME_LENGTH_MAX: usize = 249;

/// Kafka's own metadata topic, which exists in no image and cannot be created.
pub const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

/// Why a name is illegal, as Kafka says it; `None` for a legal one.
pub fn invalid_reason(name: &str) -> Option<String> {
    let reason = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." {
        "'.' is not allowed".to_owned()
    } else if name == ".." {
        "'..' is not allowed".to_owned()
    } else if name.encode_utf16().count() > TOPIC_NAME_LENGTH_MAX {
        format!(
            "the length of '{name}' is longer than the max allowed length {TOPIC_NAME_LENGTH_MAX}"
        )
    } else if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)) {
        format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, \
             '.', '_' and '-'"
        )
    } else {
        return None;
    };
    Some(format!("Topic name is invalid: {reason}"))
}
