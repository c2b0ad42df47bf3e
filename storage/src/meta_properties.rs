//! The file `meta.properties` of a log directory: to which cluster and node it belongs.
//!
//! Kafka's version 1, a Java properties file:
//!
//! ```text
//! version=1
//! cluster.id=5L6g3nShT-eMCtK--X86sw
//! node.id=1
//! directory.id=eGooObXnTI6ljtykzAGztw
//! ```
//!
//! Version 0 is of the time of ZooKeeper and refused, as Kafka 4 does.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use protocol_codec::Uuid;
use thiserror::Error;

use crate::fs::{Fs, read_file, replace_file};

pub const META_PROPERTIES_FILE: &str = "meta.properties";
const FILE_BYTES_MAX: u64 = 64 << 10;

/// What a `meta.properties` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    pub cluster_id: String,
    pub node_id: i32,
    /// Missing in directories that Kafka formatted before 3.7.
    pub directory_id: Option<Uuid>,
}

/// Why a `meta.properties` cannot be read.
#[derive(Debug, Error)]
pub enum MetaPropertiesError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is not text")]
    NotText,
    #[error("{key} is missing")]
    Missing { key: &'static str },
    #[error("{key} has the value '{value}'")]
    Malformed { key: &'static str, value: String },
    #[error("its version is {version}, and 1 is the only one that is understood")]
    UnknownVersion { version: i32 },
}

impl MetaProperties {
    /// Reads the file of `dir`; `None` if there is none.
    pub fn read(fs: &dyn Fs, dir: &Path) -> Result<Option<Self>, MetaPropertiesError> {
        match read_file(fs, &dir.join(META_PROPERTIES_FILE), FILE_BYTES_MAX) {
            Ok(bytes) => Self::decode(&bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces the file of `dir`, durably.
    pub fn write(&self, fs: &dyn Fs, dir: &Path) -> io::Result<()> {
        replace_file(fs, &dir.join(META_PROPERTIES_FILE), self.encode().as_bytes())
    }

    /// Content of the file.
    pub fn encode(&self) -> String {
        let mut text = String::from("version=1\ncluster.id=");
        for c in self.cluster_id.chars() {
            if matches!(c, '=' | ':' | '#' | '!' | '\\' | ' ') {
                text.push('\\');
            }
            text.push(c);
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "\nnode.id={}\n", self.node_id);
        if let Some(id) = self.directory_id {
            let _ = writeln!(text, "directory.id={id}");
        }
        text
    }

    /// Reads what [`Self::encode`] or Kafka wrote. Keys that are not known are passed over.
    pub fn decode(file: &[u8]) -> Result<Self, MetaPropertiesError> {
        let text = std::str::from_utf8(file).map_err(|_| MetaPropertiesError::NotText)?;
        let properties = properties(text);
        let get =
            |key: &'static str| properties.get(key).ok_or(MetaPropertiesError::Missing { key });
        let number = |key: &'static str| {
            let value = get(key)?;
            value
                .parse::<i32>()
                .map_err(|_| MetaPropertiesError::Malformed { key, value: value.clone() })
        };
        let version = number("version")?;
        if version != 1 {
            return Err(MetaPropertiesError::UnknownVersion { version });
        }
        let directory_id = match properties.get("directory.id") {
            None => None,
            Some(value) => Some(value.parse().map_err(|_| MetaPropertiesError::Malformed {
                key: "directory.id",
                value: value.clone(),
            })?),
        };
        Ok(Self {
            cluster_id: get("cluster.id")?.clone(),
            node_id: number("node.id")?,
            directory_id,
        })
    }
}

/// The pairs of a Java properties file without continued lines and `\u` escapes, which Kafka
/// never writes here. The last of equal keys counts.
fn properties(text: &str) -> HashMap<String, String> {
    let mut properties = HashMap::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut parts = [String::new(), String::new()];
        let mut part = 0;
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => parts[part].extend(chars.next()),
                '=' | ':' if part == 0 => part = 1,
                other => parts[part].push(other),
            }
        }
        let [key, value] = parts;
        properties.insert(key.trim().to_owned(), value.trim_start().to_owned());
    }
    properties
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::MemFs;

    fn some() -> MetaProperties {
        MetaProperties {
            cluster_id: "5L6g3nShT-eMCtK--X86sw".to_owned(),
            node_id: 1,
            directory_id: Some("eGooObXnTI6ljtykzAGztw".parse().unwrap()),
        }
    }

    #[test]
    fn kafkas_own_file_is_read() {
        // Written by Kafka 4.4.0's PropertiesUtils.
        let kafkas = "#\n#Fri Nov 20 14:08:04 UTC 2026\nnode.id=1\n\
            directory.id=eGooObXnTI6ljtykzAGztw\nversion=1\ncluster.id=a\\=b\\:c d\n";
        let expected = MetaProperties { cluster_id: "a=b:c d".to_owned(), ..some() };
        assert_eq!(MetaProperties::decode(kafkas.as_bytes()).unwrap(), expected);
        assert_eq!(MetaProperties::decode(expected.encode().as_bytes()).unwrap(), expected);
    }

    #[test]
    fn the_file_outlives_a_power_cut() {
        let (fs, dir) = (MemFs::new(), Path::new("/logs"));
        fs.create_dir_all(dir).unwrap();
        fs.sync_dir(Path::new("/")).unwrap();
        assert!(MetaProperties::read(&fs, dir).unwrap().is_none());
        some().write(&fs, dir).unwrap();
        fs.crash();
        assert_eq!(MetaProperties::read(&fs, dir).unwrap(), Some(some()));
    }

    #[test]
    fn a_directory_id_may_be_missing() {
        let old = MetaProperties { directory_id: None, ..some() };
        assert_eq!(MetaProperties::decode(old.encode().as_bytes()).unwrap(), old);
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        let message = |text: &str| MetaProperties::decode(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(message(""), "version is missing");
        assert_eq!(message("version=1\nnode.id=1"), "cluster.id is missing");
        assert_eq!(
            message("version=0\nbroker.id=1\n"),
            "its version is 0, and 1 is the only one that is understood"
        );
        assert_eq!(message("version=1\ncluster.id=x\nnode.id=one"), "node.id has the value 'one'");
        assert_eq!(
            message("version=1\ncluster.id=x\nnode.id=1\ndirectory.id=!"),
            "directory.id has the value '!'"
        );
        assert!(MetaProperties::decode(&[0xff]).is_err());
    }
}
