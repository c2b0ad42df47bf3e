//! The marker of a clean stop, `.kafka_cleanshutdown`, one in each log directory.
//!
//! It says that everything was synced and that the recovery can be left out. Its content is
//! Kafka's: `{"version":0,"brokerEpoch":N}`; the epoch proves to the controller that the last stop
//! was clean (KIP-966). It is taken away, durably, before anything is appended.

use std::io;
use std::path::Path;

use crate::fs::{Fs, read_file, replace_file};

pub const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";
const FILE_BYTES_MAX: u64 = 4096;

/// What a marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanShutdown {
    /// Epoch of the broker that stopped; older Kafka versions do not tell.
    pub broker_epoch: Option<i64>,
}

/// Marks `dir` as cleanly stopped; all else in it has to be durable before.
pub fn write(fs: &dyn Fs, dir: &Path, broker_epoch: i64) -> io::Result<()> {
    let content = format!(r#"{{"version":0,"brokerEpoch":{broker_epoch}}}"#);
    replace_file(fs, &dir.join(CLEAN_SHUTDOWN_FILE), content.as_bytes())
}

/// The marker of `dir`, if there is one. What cannot be understood in it is passed over: Kafka's
/// marker was empty once.
pub fn read(fs: &dyn Fs, dir: &Path) -> io::Result<Option<CleanShutdown>> {
    match read_file(fs, &dir.join(CLEAN_SHUTDOWN_FILE), FILE_BYTES_MAX) {
        Ok(bytes) => Ok(Some(CleanShutdown { broker_epoch: parse_broker_epoch(&bytes) })),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => Ok(None),
            io::ErrorKind::InvalidData => Ok(Some(CleanShutdown { broker_epoch: None })),
            _ => Err(error),
        },
    }
}

/// Takes the marker of `dir` away; a power cut does not bring it back.
pub fn remove(fs: &dyn Fs, dir: &Path) -> io::Result<()> {
    match fs.remove_file(&dir.join(CLEAN_SHUTDOWN_FILE)) {
        Ok(()) => fs.sync_dir(dir),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn parse_broker_epoch(json: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(json).ok()?;
    let (_, value) = text.split_once(r#""brokerEpoch""#)?;
    let value = value.trim_start().strip_prefix(':')?.trim_start();
    let is_number = |c: char| c.is_ascii_digit() || c == '-';
    let end = value.find(|c| !is_number(c)).unwrap_or(value.len());
    value.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::MemFs;

    #[test]
    fn a_marker_is_written_read_and_taken_away() {
        let (fs, dir) = (MemFs::new(), Path::new("/logs"));
        fs.create_dir_all(dir).unwrap();
        fs.sync_dir(Path::new("/")).unwrap();
        assert_eq!(read(&fs, dir).unwrap(), None);
        write(&fs, dir, 42).unwrap();
        fs.crash();
        assert_eq!(read(&fs, dir).unwrap(), Some(CleanShutdown { broker_epoch: Some(42) }));
        remove(&fs, dir).unwrap();
        remove(&fs, dir).unwrap();
        fs.crash();
        assert_eq!(read(&fs, dir).unwrap(), None);
    }

    #[test]
    fn kafkas_content_is_understood() {
        let epoch = |json: &str| parse_broker_epoch(json.as_bytes());
        assert_eq!(epoch(r#"{"version":0,"brokerEpoch":42}"#), Some(42));
        assert_eq!(epoch(r#"{ "brokerEpoch" : -1 , "other": [1] }"#), Some(-1));
        for other in ["", "{}", r#"{"brokerEpoch":null}"#, r#"{"brokerEpoch":}"#, "\u{0}"] {
            assert_eq!(epoch(other), None, "{other:?}");
        }
        assert_eq!(parse_broker_epoch(&[0xff]), None);
    }
}
