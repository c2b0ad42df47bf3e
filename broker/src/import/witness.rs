//! Notices that Kafka has run on a directory after it was taken over: what Barnabas knows is out of
//! date then.
//!
//! The file `taken-over` beside our metadata lists Kafka's metadata files as the import found them:
//!
//! ```text
//! 1
//! 00000000000000000000.log 104857
//! ```
//!
//! The first line is the format; each other one a name and a size. A Kafka that runs writes to its
//! metadata log twice a second, so no start of it goes unnoticed. A folder of Kafka's that is gone
//! is nobody's to be surprised by.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use storage::data_dirs::{KAFKA_METADATA_FOLDER, METADATA_FOLDER};
use storage::fs::{Fs, read_file};

pub(super) const WITNESS_FILE: &str = "taken-over";

const FORMAT: &str = "1";
const FILE_BYTES_MAX: u64 = 16 << 20;
const SUFFIXES: [&str; 2] = [".log", ".checkpoint"];

/// Why a node must not go on with what it took over.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    #[error(
        "Kafka has run on {} since Barnabas took it over, so what Barnabas knows is out of date: \
         delete {} and import again, or go on with Kafka", .0.display(),
        .0.join(METADATA_FOLDER).display()
    )]
    KafkaHasRun(PathBuf),
    #[error("{} has format {found}, written by a newer release; this one reads format 1", path.display())]
    NewerFormat { path: PathBuf, found: String },
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// What the file says of Kafka's metadata as it is now.
pub(super) fn describe(fs: &dyn Fs, metadata_dir: &Path) -> io::Result<String> {
    let kafkas = metadata_dir.join(KAFKA_METADATA_FOLDER);
    let mut text = format!("{FORMAT}\n");
    for entry in fs.list(&kafkas)? {
        if SUFFIXES.iter().any(|suffix| entry.name.ends_with(suffix)) {
            let size = fs.metadata(&kafkas.join(&entry.name))?.len;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} {size}", entry.name);
        }
    }
    Ok(text)
}

/// Whether Kafka's metadata is still what was taken over. True of a node that took over nothing.
///
/// # Errors
/// [`WitnessError`].
pub fn check(fs: &dyn Fs, metadata_dir: &Path) -> Result<(), WitnessError> {
    let path = metadata_dir.join(METADATA_FOLDER).join(WITNESS_FILE);
    let io = |source| WitnessError::Io { path: path.clone(), source };
    let then = match read_file(fs, &path, FILE_BYTES_MAX) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    match then.lines().next().unwrap_or_default() {
        FORMAT => {}
        found => return Err(WitnessError::NewerFormat { found: found.to_owned(), path }),
    }
    if !fs.exists(&metadata_dir.join(KAFKA_METADATA_FOLDER)).map_err(io)? {
        return Ok(());
    }
    if describe(fs, metadata_dir).map_err(io)? == then {
        Ok(())
    } else {
        Err(WitnessError::KafkaHasRun(metadata_dir.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use storage::fs::{MemFs, OpenMode};

    use super::*;

    const LOG: &str = "/d/__cluster_metadata-0/00000000000000000000.log";

    fn write(fs: &MemFs, path: &str, bytes: &[u8]) {
        let path = Path::new(path);
        fs.create_dir_all(path.parent().unwrap()).unwrap();
        let file = fs.open(path, OpenMode::Create).unwrap();
        file.set_len(0).unwrap();
        let parts = &mut [io::IoSlice::new(bytes)];
        storage::fs::write_all_at(&*file, parts, 0).unwrap();
    }

    fn taken_over() -> MemFs {
        let fs = MemFs::new();
        write(&fs, LOG, b"records");
        write(&fs, "/d/__cluster_metadata-0/quorum-state", b"{}");
        let text = describe(&fs, Path::new("/d")).unwrap();
        assert_eq!(text, "1\n00000000000000000000.log 7\n");
        write(&fs, "/d/__cluster_metadata-1/taken-over", text.as_bytes());
        fs
    }

    #[test]
    fn a_directory_that_kafka_left_alone_is_fine() {
        let fs = taken_over();
        write(&fs, "/d/__cluster_metadata-0/quorum-state", b"{ }");
        check(&fs, Path::new("/d")).unwrap();
        check(&MemFs::new(), Path::new("/never-taken-over")).unwrap();
    }

    #[test]
    fn a_log_that_grew_is_noticed() {
        let fs = taken_over();
        write(&fs, LOG, b"records and more");
        let said = check(&fs, Path::new("/d")).unwrap_err().to_string();
        assert!(said.contains("Kafka has run on /d since"), "{said}");
        assert!(said.contains("delete /d/__cluster_metadata-1"), "{said}");
        fs.remove_dir_all(Path::new("/d/__cluster_metadata-0")).unwrap();
        check(&fs, Path::new("/d")).unwrap();
    }

    #[test]
    fn a_newer_format_is_refused() {
        let fs = taken_over();
        write(&fs, "/d/__cluster_metadata-1/taken-over", b"2\n");
        let error = check(&fs, Path::new("/d"));
        assert!(matches!(error, Err(WitnessError::NewerFormat { .. })), "{error:?}");
    }
}
