//! One directory's names: what readers see, what is on the disk, and the changes between the two.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::file::MemFile;
use super::{Survivors, Unsynced};

#[derive(Debug, Default)]
pub(super) struct MemDir {
    live: BTreeMap<String, Node>,
    synced: BTreeMap<String, Node>,
    /// Makes `live` of `synced`, oldest first.
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    Dir(Arc<Mutex<MemDir>>),
    File(Arc<MemFile>),
}

/// A name that was made, removed or, in one step, moved.
#[derive(Debug)]
struct Change {
    at: u64,
    removed: Option<String>,
    made: Option<(String, Node)>,
}

impl MemDir {
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.live.get(name)
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = (&String, &Node)> {
        self.live.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    pub(super) fn add(&mut self, at: u64, name: String, node: Node) {
        self.change(Change { at, removed: None, made: Some((name, node)) });
    }

    pub(super) fn remove(&mut self, at: u64, name: &str) {
        self.change(Change { at, removed: Some(name.to_owned()), made: None });
    }

    /// Moves a name within this directory: a power cut leaves the old one or the new one.
    pub(super) fn rename(&mut self, at: u64, from: &str, to: String, node: Node) {
        self.change(Change { at, removed: Some(from.to_owned()), made: Some((to, node)) });
    }

    pub(super) fn sync(&mut self) {
        for change in self.changes.drain(..) {
            change.apply(&mut self.synced);
        }
    }

    /// What a power cut leaves of it and of all below it, as a new directory: old handles stay on
    /// the old files.
    pub(super) fn left(&self, path: &Path, survivors: &mut Survivors<'_>) -> Self {
        let mut names = self.synced.clone();
        if !self.changes.is_empty() {
            let times: Vec<u64> = self.changes.iter().map(|change| change.at).collect();
            let done = survivors(Unsynced::Names { dir: path }, &times);
            for change in self.changes.iter().take(done) {
                change.apply(&mut names);
            }
        }
        for (name, node) in &mut names {
            let path = path.join(name);
            *node = match node {
                Node::Dir(dir) => {
                    let left = dir.lock().left(&path, survivors);
                    Node::Dir(Arc::new(Mutex::new(left)))
                }
                Node::File(file) => Node::File(Arc::new(file.left(&path, survivors))),
            };
        }
        Self { live: names.clone(), synced: names, changes: Vec::new() }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.changes.push(change);
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        if let Some(removed) = &self.removed {
            names.remove(removed);
        }
        if let Some((name, node)) = &self.made {
            names.insert(name.clone(), node.clone());
        }
    }
}
