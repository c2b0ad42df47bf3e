//! New ids for directories and clusters, and for the names of deleted directories: the only
//! randomness in this crate.

use std::fs::File;
use std::io::{self, Read};

use protocol_codec::Uuid;

/// A random UUID as Kafka makes them: version 4, and its text does not begin with a dash, which
/// command lines would take for an option.
pub fn random_uuid() -> io::Result<Uuid> {
    let mut source = File::open("/dev/urandom")?;
    loop {
        let mut bytes = [0; 16];
        source.read_exact(&mut bytes)?;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let id = Uuid::from_bytes(bytes);
        // One in 64 begins with a dash.
        if !id.to_string().starts_with('-') {
            return Ok(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_differ_and_never_look_like_an_option() {
        let ids: Vec<Uuid> = (0..500).map(|_| random_uuid().unwrap()).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert!(ids.iter().all(|id| !id.to_string().starts_with('-')));
        assert!(ids.iter().all(|id| id.as_bytes()[6] >> 4 == 4));
    }
}
