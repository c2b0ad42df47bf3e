//! Making an image the metadata of a node, in one step.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use raft::eraftpb::HardState;

use crate::image::MetadataImage;
use crate::raft::sled_store::{METADATA_DIR, SledStore, files};
use crate::raft::snapshot;
use crate::raft::store::{RaftStore, StoreError};

/// Where the metadata is made before it gets its name. Kafka passes over a folder that is named
/// like a partition of its metadata topic, so what a crash leaves here does not keep it from
/// starting; and we take such a folder for no metadata at all.
const UNFINISHED_DIR: &str = "__cluster_metadata-2";

/// Writes the image as the metadata in this directory, which must have none, and a file beside it.
/// All is there and durable when this returns, or nothing is.
pub fn write(
    metadata_log_dir: &Path,
    image: &MetadataImage,
    (name, content): (&str, &[u8]),
) -> Result<(), StoreError> {
    let unfinished = metadata_log_dir.join(UNFINISHED_DIR);
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(files::io("remove", &unfinished))?;
    }
    let mut store = SledStore::open_folder(metadata_log_dir, UNFINISHED_DIR)?;
    store.install_snapshot(image.last_applied, &snapshot::encode(image))?;
    let hard_state = HardState {
        term: image.last_applied.term,
        commit: image.last_applied.index,
        ..HardState::default()
    };
    store.append(&[], Some(&hard_state))?;
    drop(store);
    let beside = unfinished.join(name);
    File::create(&beside)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .map_err(files::io("write", &beside))?;
    files::sync_dir(&unfinished)?;
    let finished = metadata_log_dir.join(METADATA_DIR);
    std::fs::rename(&unfinished, &finished).map_err(files::io("rename", &unfinished))?;
    files::sync_dir(metadata_log_dir)
}
