//! What must hold before a node's directories are touched.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::{
    DataDirsConfig, DataDirsError, KAFKA_METADATA_FOLDER, METADATA_FOLDER, Opened, meta_file,
};
use crate::TopicPartition;
use crate::dir_lock::LOCK_FILE;
use crate::fs::DirEntry;
use crate::meta_properties::META_PROPERTIES_FILE;

/// What the names in a directory tell.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Our own metadata is there.
    pub(super) has_metadata: bool,
    /// Kafka's metadata is there.
    pub(super) has_kafka_metadata: bool,
    /// One of the partitions, if there are any.
    pub(super) a_partition: Option<String>,
    /// Something that a new directory does not hold.
    pub(super) a_foreign_name: Option<String>,
}

impl Contents {
    pub(super) fn of(entries: &[DirEntry]) -> Self {
        let mut contents = Self::default();
        for entry in entries {
            match entry.name.as_str() {
                // The root of a disk has the folder `lost+found`; the temporary file is of a
                // formatting that was cut off.
                LOCK_FILE | META_PROPERTIES_FILE | "meta.properties.tmp" | "lost+found" => continue,
                METADATA_FOLDER => contents.has_metadata = true,
                KAFKA_METADATA_FOLDER => contents.has_kafka_metadata = true,
                name if entry.is_dir && TopicPartition::from_dir_name(name).is_some() => {
                    contents.a_partition = Some(entry.name.clone());
                }
                _ => {}
            }
            contents.a_foreign_name = Some(entry.name.clone());
        }
        contents
    }
}

/// A directory that is named twice.
pub(super) fn duplicate(dirs: &[PathBuf]) -> Option<PathBuf> {
    let mut seen = HashSet::new();
    dirs.iter().find(|dir| !seen.insert(*dir)).cloned()
}

/// All directories are of this node and one cluster, and none is a copy of another.
pub(super) fn belong_together(
    opened: &[Opened],
    config: &DataDirsConfig,
) -> Result<(), DataDirsError> {
    let mut cluster_id = config.cluster_id.as_ref();
    let mut directory_ids = HashMap::new();
    for one in opened {
        let Some(meta) = &one.meta else {
            continue;
        };
        let expected = *cluster_id.get_or_insert(&meta.cluster_id);
        if meta.cluster_id != *expected {
            return Err(DataDirsError::ForeignCluster {
                file: meta_file(&one.dir),
                expected: expected.clone(),
                found: meta.cluster_id.clone(),
            });
        }
        if meta.node_id != config.node_id {
            return Err(DataDirsError::ForeignNode {
                file: meta_file(&one.dir),
                expected: config.node_id,
                found: meta.node_id,
            });
        }
        if let Some(id) = meta.directory_id
            && let Some(other) = directory_ids.insert(id, &one.dir)
        {
            return Err(DataDirsError::SameDirectoryId(other.clone(), one.dir.clone()));
        }
    }
    Ok(())
}

/// Whatever will be formatted is empty, and data has its metadata.
pub(super) fn not_formatted_over(
    opened: &[Opened],
    log_dirs: &[PathBuf],
    metadata_dir: &Path,
) -> Result<(), DataDirsError> {
    let has_metadata =
        opened.iter().any(|one| one.dir == metadata_dir && one.contents.has_metadata);
    let any_formatted = opened.iter().any(|one| one.meta.is_some() && log_dirs.contains(&one.dir));
    for one in opened {
        if one.meta.is_none()
            && let Some(found) = &one.contents.a_foreign_name
            // Metadata without any log directory gets its own sentence below.
            && !(one.dir == metadata_dir && has_metadata && !any_formatted)
        {
            return Err(DataDirsError::NotEmpty { dir: one.dir.clone(), found: found.clone() });
        }
    }
    if has_metadata && !any_formatted {
        return Err(DataDirsError::MetadataWithoutLogDirs { dir: metadata_dir.to_owned() });
    }
    if has_metadata {
        return Ok(());
    }
    for one in opened {
        let kafkas = one.contents.has_kafka_metadata.then_some(KAFKA_METADATA_FOLDER);
        if let Some(found) = one.contents.a_partition.as_deref().or(kafkas) {
            return Err(DataDirsError::TopicsWithoutMetadata {
                dir: one.dir.clone(),
                found: found.to_owned(),
                metadata_dir: metadata_dir.to_owned(),
            });
        }
    }
    Ok(())
}
