//! Formatting, refusing, and going on without a directory.

use super::*;
use crate::fs::{Fault, FaultyFs, MemFs, Op, OpenMode, RealFs, Rule};

const A: &str = "/a";
const B: &str = "/b";

fn config(dirs: &[&str]) -> DataDirsConfig {
    DataDirsConfig {
        log_dirs: dirs.iter().map(PathBuf::from).collect(),
        metadata_dir: None,
        node_id: 1,
        cluster_id: None,
    }
}

fn open(fs: &dyn Fs, dirs: &[&str]) -> Result<DataDirs, DataDirsError> {
    DataDirs::open(&config(dirs), fs)
}

fn message(result: Result<DataDirs, DataDirsError>) -> String {
    result.map(|dirs| dirs.cluster_id).unwrap_err().to_string()
}

fn make_dir(fs: &dyn Fs, path: &str) {
    fs.create_dir_all(Path::new(path)).unwrap();
}

/// A node that has run before: formatted, with its metadata.
fn used(dirs: &[&str]) -> (MemFs, DataDirs) {
    let fs = MemFs::new();
    let first = open(&fs, dirs).unwrap();
    make_dir(&fs, "/a/__cluster_metadata-1");
    (fs, first)
}

#[test]
fn an_empty_directory_is_formatted_and_found_again() {
    let fs = MemFs::new();
    let first = open(&fs, &[A]).unwrap();
    assert!(first.is_new && first.log_dirs[0].is_new && first.was_clean_shutdown());
    fs.crash();
    make_dir(&fs, "/a/__cluster_metadata-1");
    let again = open(&fs, &[A]).unwrap();
    assert!(!again.is_new && !again.log_dirs[0].is_new && !again.was_clean_shutdown());
    assert_eq!(again.cluster_id, first.cluster_id);
    assert_eq!(again.log_dirs[0].directory_id, first.log_dirs[0].directory_id);
    assert_eq!(again.metadata_dir, Path::new(A));
}

#[test]
fn a_wanted_cluster_id_is_taken_and_held_to() {
    let fs = MemFs::new();
    let wanted = |id: &str| DataDirsConfig { cluster_id: Some(id.to_owned()), ..config(&[A]) };
    assert_eq!(DataDirs::open(&wanted("x"), &fs).unwrap().cluster_id, "x");
    assert_eq!(DataDirs::open(&config(&[A]), &fs).unwrap().cluster_id, "x");
    assert_eq!(
        message(DataDirs::open(&wanted("y"), &fs)),
        "Invalid cluster.id in: /a/meta.properties. Expected y, but read x: \
         the directory belongs to another cluster"
    );
}

#[test]
fn a_directory_of_another_node_or_cluster_is_refused() {
    let (fs, _) = used(&[A]);
    let other_node = DataDirsConfig { node_id: 2, ..config(&[A]) };
    assert_eq!(
        message(DataDirs::open(&other_node, &fs)),
        "Stored node id 1 doesn't match node.id 2 in /a/meta.properties: \
         the directory belongs to another node"
    );
    make_dir(&fs, B);
    let meta = MetaProperties { cluster_id: "other".to_owned(), node_id: 1, directory_id: None };
    meta.write(&fs, Path::new(B)).unwrap();
    assert!(matches!(
        open(&fs, &[A, B]),
        Err(DataDirsError::ForeignCluster { file, .. }) if file == Path::new("/b/meta.properties")
    ));
}

#[test]
fn a_copied_directory_is_refused() {
    let (fs, first) = used(&[A]);
    make_dir(&fs, B);
    let copy = MetaProperties {
        cluster_id: first.cluster_id.clone(),
        node_id: 1,
        directory_id: first.log_dirs[0].directory_id,
    };
    copy.write(&fs, Path::new(B)).unwrap();
    assert!(matches!(open(&fs, &[A, B]), Err(DataDirsError::SameDirectoryId(..))));
    assert!(matches!(open(&fs, &[A, A]), Err(DataDirsError::Duplicate(_))));
    assert!(matches!(open(&fs, &[]), Err(DataDirsError::NoneConfigured)));
}

#[test]
fn a_new_directory_joins_with_an_id_of_its_own() {
    let (fs, first) = used(&[A]);
    let both = open(&fs, &[A, B]).unwrap();
    assert_eq!(both.cluster_id, first.cluster_id);
    assert_eq!(both.log_dirs.iter().map(|dir| dir.is_new).collect::<Vec<_>>(), [false, true]);
    assert_eq!(both.online_directory_ids().len(), 2);
    assert_ne!(both.log_dirs[0].directory_id, both.log_dirs[1].directory_id);
}

#[test]
fn nothing_is_formatted_over_data() {
    let fs = MemFs::new();
    make_dir(&fs, "/a/lost+found");
    make_dir(&fs, "/b/orders-0");
    assert_eq!(
        message(open(&fs, &[A, B])),
        "/b is not empty (it holds orders-0) and has no meta.properties: \
         nothing is formatted over it, choose an empty directory"
    );
    // Nothing was changed, not even in the empty directory.
    assert!(MetaProperties::read(&fs, Path::new(A)).unwrap().is_none());
    assert!(open(&fs, &[A]).unwrap().is_new);
}

#[test]
fn data_and_metadata_go_together() {
    let fs = MemFs::new();
    drop(open(&fs, &[A]).unwrap());
    make_dir(&fs, "/a/orders-0");
    assert!(
        message(open(&fs, &[A])).starts_with("/a holds topics (orders-0) that no metadata in /a")
    );
    fs.remove_dir_all(Path::new("/a/orders-0")).unwrap();
    make_dir(&fs, "/a/__cluster_metadata-0");
    assert!(matches!(open(&fs, &[A]), Err(DataDirsError::TopicsWithoutMetadata { .. })));
    make_dir(&fs, "/a/__cluster_metadata-1");
    assert!(!open(&fs, &[A]).unwrap().is_new);

    let elsewhere = DataDirsConfig { metadata_dir: Some(PathBuf::from(A)), ..config(&[B]) };
    assert!(matches!(
        DataDirs::open(&elsewhere, &fs),
        Err(DataDirsError::MetadataWithoutLogDirs { dir }) if dir == Path::new(A)
    ));
}

#[test]
fn metadata_may_lie_outside_of_the_log_directories() {
    let fs = MemFs::new();
    let apart = DataDirsConfig { metadata_dir: Some(PathBuf::from("/m")), ..config(&[A]) };
    let first = DataDirs::open(&apart, &fs).unwrap();
    assert_eq!((first.log_dirs.len(), first.metadata_dir.as_path()), (1, Path::new("/m")));
    make_dir(&fs, "/m/__cluster_metadata-1");
    make_dir(&fs, "/a/orders-0");
    let again = DataDirs::open(&apart, &fs).unwrap();
    assert!(!again.is_new);
    assert_eq!(again.cluster_id, first.cluster_id);
}

#[test]
fn one_bad_directory_is_offline_and_all_bad_are_an_error() {
    let (mem, _) = used(&[A, B]);
    let fs = FaultyFs::new(Arc::new(mem.clone()));
    let broken = |dir: &str| Rule {
        op: Op::Open,
        path_contains: dir.to_owned(),
        skip: 0,
        times: usize::MAX,
        fault: Fault::Io,
    };
    fs.add(broken("/b/"));
    let one = open(&fs, &[A, B]).unwrap();
    assert!(!one.log_dirs[0].log_dir.is_offline());
    assert!(one.log_dirs[1].log_dir.is_offline());
    let reason = one.log_dirs[1].log_dir.offline_reason().unwrap();
    assert!(reason.starts_with("Cannot use the directory /b: "), "{reason}");
    assert_eq!(one.online_directory_ids().len(), 1);
    // The metadata directory cannot be done without.
    fs.add(broken("/a/"));
    assert!(message(open(&fs, &[A, B])).starts_with("Cannot use the directory /a: "));
    // A new cluster is not begun while a directory cannot be read: it may hold an old one.
    fs.heal();
    fs.add(broken("/d/"));
    assert!(message(open(&fs, &["/c", "/d"])).starts_with("Cannot use the directory /d: "));
    assert!(MetaProperties::read(&mem, Path::new("/c")).unwrap().is_none());
}

#[test]
fn all_log_directories_offline_is_an_error() {
    let mem = MemFs::new();
    let apart = DataDirsConfig { metadata_dir: Some(PathBuf::from("/m")), ..config(&[A]) };
    drop(DataDirs::open(&apart, &mem).unwrap());
    let fs = FaultyFs::new(Arc::new(mem));
    fs.add(Rule { path_contains: "/a/".to_owned(), ..Rule::next(Op::Open, 9, Fault::Io) });
    let said = message(DataDirs::open(&apart, &fs));
    assert!(said.starts_with("All log directories are offline: Cannot use the dir"), "{said}");
}

#[test]
fn a_file_in_the_place_of_a_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("data");
    std::fs::write(&file, "x").unwrap();
    let said = message(DataDirs::open(
        &DataDirsConfig { log_dirs: vec![file.clone()], ..config(&[]) },
        &RealFs,
    ));
    assert_eq!(said, format!("{} is not a directory", file.display()));
}

#[test]
fn a_directory_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let config = DataDirsConfig { log_dirs: vec![dir.path().to_owned()], ..config(&[]) };
    let held = DataDirs::open(&config, &RealFs).unwrap();
    assert!(matches!(DataDirs::open(&config, &RealFs), Err(DataDirsError::Locked(_))));
    drop(held);
    DataDirs::open(&config, &RealFs).unwrap();
}

#[test]
fn damaged_meta_properties_are_named() {
    let (fs, _) = used(&[A]);
    let file = fs.open(Path::new("/a/meta.properties"), OpenMode::ReadWrite).unwrap();
    file.set_len(3).unwrap();
    assert_eq!(message(open(&fs, &[A])), "Cannot read /a/meta.properties: version is missing");
}

#[test]
fn formatting_may_be_cut_off_anywhere() {
    // As many attempts as formatting has steps: each fails one step later.
    for op in [Op::Open, Op::Write, Op::SyncData, Op::Rename, Op::SyncDir] {
        for skip in 0..10 {
            let mem = MemFs::new();
            for dir in [A, B] {
                make_dir(&mem, dir);
            }
            mem.sync_dir(Path::new("/")).unwrap();
            let fs = FaultyFs::new(Arc::new(mem.clone()));
            fs.add(Rule { skip, ..Rule::next(op, 1, Fault::Io) });
            let first = open(&fs, &[A, B]);
            let formatted = first.as_ref().ok().map(|dirs| dirs.cluster_id.clone());
            drop(first);
            mem.crash();
            let second = open(&mem, &[A, B]).unwrap();
            assert_eq!(second.online_directory_ids().len(), 2, "{op:?} {skip}");
            if let Some(cluster_id) = formatted {
                assert_eq!(second.cluster_id, cluster_id, "{op:?} {skip}");
            }
        }
    }
}
