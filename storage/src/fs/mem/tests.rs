//! What readers see, and what a crash leaves.

use std::io::IoSlice;

use super::*;
use crate::fs::{read_file, replace_file, write_all_at};

fn write(fs: &MemFs, path: &str, bytes: &[u8], position: u64) -> Arc<dyn File> {
    let file = fs.open(Path::new(path), OpenMode::Create).unwrap();
    write_all_at(&*file, &mut [IoSlice::new(bytes)], position).unwrap();
    file
}

#[test]
fn a_crash_keeps_synced_bytes_under_synced_names_only() {
    let fs = MemFs::new();
    fs.create_dir_all(Path::new("/a/b")).unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    fs.sync_dir(Path::new("/a")).unwrap();
    let kept = write(&fs, "/a/b/kept", b"12345", 0);
    kept.sync_data().unwrap();
    fs.sync_dir(Path::new("/a/b")).unwrap();
    write(&fs, "/a/b/kept", b"XX67", 3);
    let nameless = write(&fs, "/a/b/nameless", b"1", 0);
    nameless.sync_data().unwrap();

    fs.crash();

    assert_eq!(read_file(&fs, Path::new("/a/b/kept"), 100).unwrap(), b"12345");
    assert!(!fs.exists(Path::new("/a/b/nameless")).unwrap());
    // The old handle still sees its own bytes.
    assert_eq!(kept.len().unwrap(), 7);
}

#[test]
fn a_replaced_file_is_old_or_new() {
    let fs = MemFs::new();
    replace_file(&fs, Path::new("/f"), b"old").unwrap();
    replace_file(&fs, Path::new("/f"), b"new!").unwrap();
    fs.crash();
    assert_eq!(read_file(&fs, Path::new("/f"), 100).unwrap(), b"new!");
    assert!(!fs.exists(Path::new("/f.tmp")).unwrap());
    assert!(read_file(&fs, Path::new("/f"), 3).is_err());
}

#[test]
fn names_behave_like_a_file_system() {
    let fs = MemFs::new();
    let open = |path: &str, mode| fs.open(Path::new(path), mode).map(|_| ());
    assert_eq!(open("/x", OpenMode::Read).unwrap_err().kind(), ErrorKind::NotFound);
    open("/x", OpenMode::CreateNew).unwrap();
    assert_eq!(open("/x", OpenMode::CreateNew).unwrap_err().kind(), ErrorKind::AlreadyExists);
    fs.create_dir_all(Path::new("/d")).unwrap();
    fs.rename(Path::new("/x"), Path::new("/d/y")).unwrap();
    assert_eq!(fs.list(Path::new("/d")).unwrap().len(), 1);
    assert_eq!(open("/x", OpenMode::ReadWrite).unwrap_err().kind(), ErrorKind::NotFound);
    fs.remove_dir_all(Path::new("/d")).unwrap();
    assert!(!fs.exists(Path::new("/d/y")).unwrap());
    assert!(fs.list(Path::new("/")).unwrap().is_empty());
}

#[test]
fn a_removed_directory_may_come_back_with_any_of_its_files() {
    let fs = MemFs::new();
    fs.create_dir_all(Path::new("/d")).unwrap();
    for name in ["/d/x", "/d/y"] {
        fs.open(Path::new(name), OpenMode::Create).unwrap();
    }
    fs.sync_dir(Path::new("/")).unwrap();
    fs.sync_dir(Path::new("/d")).unwrap();
    fs.remove_dir_all(Path::new("/d")).unwrap();
    fs.cut_power_keeping(&mut |what, _| {
        usize::from(what == Unsynced::Names { dir: Path::new("/d") })
    });
    let names: Vec<_> = fs.list(Path::new("/d")).unwrap().into_iter().map(|e| e.name).collect();
    assert_eq!(names, ["y"]);
}

#[test]
fn a_cut_off_end_may_come_back() {
    let fs = MemFs::new();
    let file = write(&fs, "/f", &[7; 600], 0);
    file.sync_data().unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    file.set_len(10).unwrap();
    fs.cut_power_keeping(&mut |what, _| usize::from(matches!(what, Unsynced::Length { .. })));
    assert_eq!(read_file(&fs, Path::new("/f"), 1000).unwrap(), [7; 10]);

    let file = fs.open(Path::new("/f"), OpenMode::ReadWrite).unwrap();
    file.set_len(3).unwrap();
    fs.crash();
    assert_eq!(read_file(&fs, Path::new("/f"), 1000).unwrap(), [7; 10]);
}
