//! The ring of open files and the hand that goes round it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{OpenFile, Slot};

/// The place of a file that is not open.
pub(super) const NOWHERE: usize = usize::MAX;

/// All handles that are open. Behind a lock.
#[derive(Debug, Default)]
pub(super) struct Clock {
    slots: Vec<Arc<Slot>>,
    hand: usize,
}

impl Clock {
    pub(super) fn add(&mut self, slot: &Arc<Slot>) {
        slot.place.store(self.slots.len(), Ordering::Relaxed);
        self.slots.push(Arc::clone(slot));
    }

    pub(super) fn remove(&mut self, slot: &Slot) {
        let place = slot.place.swap(NOWHERE, Ordering::Relaxed);
        if place >= self.slots.len() {
            return;
        }
        self.slots.swap_remove(place);
        if let Some(moved) = self.slots.get(place) {
            moved.place.store(place, Ordering::Relaxed);
        }
    }

    /// Closes this file, if it may be closed. The caller drops it after the lock.
    pub(super) fn close(&mut self, slot: &Slot) -> Option<Arc<OpenFile>> {
        let file = slot.take_if_idle()?;
        self.remove(slot);
        Some(file)
    }

    /// Lets the hand go on over `looks` files at most, until it has closed `wanted`. Returns those,
    /// to be dropped after the lock, and those that were not used but have to be synced first.
    pub(super) fn close_unused(
        &mut self,
        wanted: usize,
        looks: usize,
    ) -> (Vec<Arc<OpenFile>>, Vec<Arc<Slot>>) {
        let (mut closed, mut unsynced) = (Vec::new(), Vec::new());
        // Once round takes all marks away, so nothing is left to find after the second time.
        for _ in 0..looks.min(self.slots.len().saturating_mul(2)) {
            if closed.len() >= wanted {
                break;
            }
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            let Some(slot) = self.slots.get(self.hand).map(Arc::clone) else { break };
            if slot.is_used.swap(false, Ordering::Relaxed) {
                self.hand += 1;
            } else if slot.is_dirty() {
                unsynced.push(slot);
                self.hand += 1;
            } else if let Some(file) = self.close(&slot) {
                // Another one has come to this place.
                closed.push(file);
            } else {
                self.hand += 1;
            }
        }
        (closed, unsynced)
    }
}
