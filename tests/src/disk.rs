//! A disk of its own for one node: an ext4 file system in a file, on a loop device.
//!
//! Its power can be cut. The file system stops at once, by its own shutdown call without a flush of
//! its journal (`EXT4_IOC_SHUTDOWN`): what has not reached the device is gone, data and names, and
//! the next mount replays the journal as after a real loss of power. Needs root and loop devices.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// `_IOR('X', 125, __u32)` with `EXT4_GOING_FLAGS_NOLOGFLUSH`; the tests crate has no unsafe code,
/// so the call is made by the Python that it needs anyway.
const SHUT_DOWN: &str = "import fcntl, os, struct, sys\n\
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

/// A mounted file system. Dropping it unmounts and removes it.
#[derive(Debug)]
pub struct LoopDisk {
    directory: TempDir,
}

impl LoopDisk {
    /// An empty disk of this many MiB; `None`, and said why, where this machine cannot have one.
    ///
    /// # Panics
    /// As root on a machine with loop devices, when the disk cannot be made all the same.
    #[must_use]
    pub fn new(mebibytes: u64) -> Option<Self> {
        if !rustix::process::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
            #[expect(clippy::print_stdout, reason = "a test that did not run must say so")]
            {
                println!("SKIPPED, no power was cut: this needs root and loop devices");
            }
            return None;
        }
        let disk = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        let image = std::fs::File::create(disk.image()).expect("a file");
        image.set_len(mebibytes << 20).expect("a sparse file");
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(disk.image()));
        std::fs::create_dir(disk.path()).expect("a mount point");
        disk.mount();
        Some(disk)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }

    /// Cuts the power. What still runs on the disk gets I/O errors from here on.
    pub fn cut_power(&self) {
        run(Command::new("python3").args(["-c", SHUT_DOWN]).arg(self.path()));
    }

    /// Brings the disk back after its power was cut. Whoever used it must have ended.
    pub fn restore_power(&self) {
        run(Command::new("umount").arg(self.path()));
        self.mount();
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    fn mount(&self) {
        run(Command::new("mount").args(["-o", "loop"]).arg(self.image()).arg(self.path()));
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        // Lazily: a test that fails may leave a process on it for a moment.
        drop(Command::new("umount").arg("--lazy").arg(self.path()).status());
    }
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?} ended with {status}");
}
