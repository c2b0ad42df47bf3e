//! Where each partition lies on the disks, and whether that is what the metadata says.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use controller::image::topics::TopicImage;
use controller::image::{LogPosition, MetadataImage, apply};
use controller::record::{MetadataRecord, PartitionChange};
use protocol_codec::Uuid;
use storage::TopicPartition;
use storage::fs::Fs;
use storage::survey::{FoundPartition, open_transactions, survey};

use super::directories::{Directories, LogDir};
use super::{Obstacles, shown};

/// The partitions that are there.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) folders: Vec<Folder>,
    /// Folders that no topic knows of.
    pub(super) strays: Vec<PathBuf>,
}

impl Found {
    /// Each log directory with the number of partitions in it.
    pub(super) fn partitions_per_dir(&self, directories: &Directories) -> Vec<(PathBuf, usize)> {
        let count = |dir: &LogDir| self.folders.iter().filter(|f| f.directory == dir.id).count();
        directories.log_dirs.iter().map(|dir| (dir.path.clone(), count(dir))).collect()
    }
}

#[derive(Debug)]
pub(super) struct Folder {
    pub(super) partition: TopicPartition,
    pub(super) path: PathBuf,
    /// The id of the directory that holds it.
    pub(super) directory: Uuid,
}

/// Finds the folder of every partition and has the image say where it is.
pub(super) fn locate(
    fs: &dyn Fs,
    directories: &Directories,
    image: &mut MetadataImage,
    obstacles: &mut Obstacles,
) -> Result<Found, Obstacles> {
    obstacles.0.extend(directories_missing(directories, image));
    let mut found = Found::default();
    for dir in &directories.log_dirs {
        let survey = survey(fs, &dir.path).map_err(|error| {
            Obstacles::one(format!("cannot read {}: {error}", dir.path.display()))
        })?;
        for path in survey.moving {
            obstacles.0.push(format!(
                "{} is on its way to another log directory: let Kafka finish that, or cancel it with \
                 kafka-reassign-partitions.sh",
                path.display()
            ));
        }
        found.strays.extend(survey.unknown);
        for folder in survey.partitions {
            match belongs(image, &folder) {
                Ok(true) => {
                    let FoundPartition { partition, path, .. } = folder;
                    found.folders.push(Folder { partition, path, directory: dir.id });
                }
                Ok(false) => found.strays.push(folder.path),
                Err(sentence) => obstacles.0.push(sentence),
            }
        }
    }
    let places = places(&found, obstacles);
    let records = moved(directories.node_id, image, &places, obstacles);
    for folder in &found.folders {
        obstacles.0.extend(transactions(fs, folder));
    }
    let LogPosition { index, term } = image.last_applied;
    *image = apply(image, LogPosition { index, term }, &records).map_err(Obstacles::one)?;
    Ok(found)
}

/// Directories that the broker registered and that were not given.
fn directories_missing(directories: &Directories, image: &MetadataImage) -> Vec<String> {
    let given: BTreeSet<Uuid> = directories.log_dirs.iter().map(|dir| dir.id).collect();
    let registered = image.brokers.get(directories.node_id);
    let registered = registered.map(|broker| broker.log_dirs.clone()).unwrap_or_default();
    let missing = registered.into_iter().filter(|id| !given.contains(id));
    let sentence = |id| {
        format!(
            "Kafka used a log directory with the directory.id {id} that is not among those given: \
             give the server.properties that names all of log.dirs"
        )
    };
    missing.map(sentence).collect()
}

/// Whether a topic knows of this folder.
fn belongs(image: &MetadataImage, folder: &FoundPartition) -> Result<bool, String> {
    let file = shown(&folder.path, storage::partition_metadata::PARTITION_METADATA_FILE);
    let Some(topic) = image.topics.by_name(&folder.partition.topic) else { return Ok(false) };
    match &folder.topic_id {
        Err(error) => Err(format!("cannot read {file}: {error}")),
        Ok(None) => Err(format!(
            "{file} is missing, so it is not known which topic this is: start Kafka and stop it, \
             which writes the file"
        )),
        Ok(Some(id)) => {
            Ok(*id == topic.id && topic.partition(folder.partition.partition).is_some())
        }
    }
}

/// The directory of each partition; none lies in two.
fn places(found: &Found, obstacles: &mut Obstacles) -> HashMap<TopicPartition, Uuid> {
    let mut places = HashMap::new();
    for folder in &found.folders {
        if places.insert(folder.partition.clone(), folder.directory).is_some() {
            obstacles.0.push(format!(
                "{} lies in two log directories, one of them is {}: start Kafka and stop it, which \
                 settles it",
                folder.partition,
                folder.path.display()
            ));
        }
    }
    places
}

/// Records that set right where partitions lie.
fn moved(
    node_id: i32,
    image: &MetadataImage,
    places: &HashMap<TopicPartition, Uuid>,
    obstacles: &mut Obstacles,
) -> Vec<MetadataRecord> {
    let mut records = Vec::new();
    let all = image.topics.iter().flat_map(|topic: &Arc<TopicImage>| {
        topic.numbered_partitions().map(move |(id, partition)| (topic, id, partition))
    });
    for (topic, partition_id, partition) in all {
        let name = TopicPartition::new(topic.name.clone(), partition_id);
        let Some(place) = places.get(&name) else {
            obstacles.0.push(format!(
                "{name} has no folder in any log directory: bring its directory back, or delete the \
                 topic with Kafka"
            ));
            continue;
        };
        if partition.directory(node_id) != Some(*place) {
            records.push(MetadataRecord::PartitionChange(PartitionChange {
                topic_id: topic.id,
                partition_id,
                directories: Some(vec![*place]),
                ..PartitionChange::default()
            }));
        }
    }
    records
}

fn transactions(fs: &dyn Fs, folder: &Folder) -> Vec<String> {
    let partition = &folder.partition;
    let open = match open_transactions(fs, &folder.path) {
        Ok(open) => open,
        Err(error) => return vec![format!("cannot read the producers of {partition}: {error}")],
    };
    let sentence = |open: storage::survey::OpenTransaction| {
        format!(
            "{partition} has an open transaction of producer {} since offset {}: let its application \
             end it, or abort it with kafka-transactions.sh abort",
            open.producer_id, open.first_offset
        )
    };
    open.into_iter().map(sentence).collect()
}
