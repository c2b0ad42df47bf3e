//! Which partition of `__consumer_offsets` keeps a group.
//!
//! Clients never compute this, but tools and imported data depend on it: it is Java's
//! `String.hashCode` over the UTF-16 units of the group id, made non-negative as Kafka's
//! `Utils.abs` does (`i32::MIN` becomes 0), modulo the number of partitions.

/// The partition of `__consumer_offsets` that keeps `group_id`, of `partition_count` partitions.
pub fn partition_for(group_id: &str, partition_count: i32) -> i32 {
    assert!(partition_count > 0, "the topic has at least one partition");
    let hash = java_hash_code(group_id);
    let positive = if hash == i32::MIN { 0 } else { hash.abs() };
    positive % partition_count
}

fn java_hash_code(text: &str) -> i32 {
    text.encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values printed by `"...".hashCode()` of a JDK 17.
    #[test]
    fn hash_code_equals_javas() {
        let table = [
            ("", 0),
            ("a", 97),
            ("group", 98_629_247),
            ("console-consumer-12345", 158_455_506),
            ("grüppe-€", 243_499_123),
            // Outside the basic plane: two UTF-16 units.
            ("🦀-crab", 232_234_683),
            // The famous string whose hash code is Integer.MIN_VALUE.
            ("polygenelubricants", i32::MIN),
        ];
        for (text, expected) in table {
            assert_eq!(java_hash_code(text), expected, "{text}");
        }
    }

    #[test]
    fn partition_is_never_negative() {
        assert_eq!(partition_for("polygenelubricants", 50), 0);
        assert_eq!(partition_for("group", 50), 47);
        assert_eq!(partition_for("", 50), 0);
        for id in ["x", "grüppe-€", "🦀-crab", "console-consumer-12345"] {
            assert!((0..50).contains(&partition_for(id, 50)));
        }
    }
}
