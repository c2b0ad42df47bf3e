//! The memory that requests may take together.
//!
//! The budget is a quarter of the machine's memory or of the container's limit (or
//! `queued.max.request.bytes`). A connection that finds it used up does not read its socket until
//! some is given back, so that TCP slows the clients down and nothing is refused.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit of account.
const UNIT_BYTES: usize = 1024;

/// The least budget: below it a node could not take requests of ordinary size.
const BUDGET_BYTES_MIN: u64 = 16 << 20;

/// Memory for requests, shared by all connections.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    semaphore: Arc<Semaphore>,
    total_units: u32,
}

/// Bytes of the budget; given back on drop.
#[derive(Debug)]
pub struct Reservation {
    _permit: OwnedSemaphorePermit,
}

impl MemoryBudget {
    pub fn new(bytes: u64) -> Self {
        let units = (bytes.max(BUDGET_BYTES_MIN) / UNIT_BYTES as u64).min(u64::from(u32::MAX >> 3));
        let total_units = u32::try_from(units).unwrap_or(u32::MAX >> 3);
        Self { semaphore: Arc::new(Semaphore::new(total_units as usize)), total_units }
    }

    /// A quarter of what this process may use.
    pub fn of_machine() -> Self {
        Self::new(memory_limit() / 4)
    }

    /// The whole budget, in bytes.
    pub fn total_bytes(&self) -> u64 {
        u64::from(self.total_units) * UNIT_BYTES as u64
    }

    /// What is in use, in bytes.
    pub fn used_bytes(&self) -> u64 {
        self.total_bytes() - (self.semaphore.available_permits() * UNIT_BYTES) as u64
    }

    /// Waits for `bytes`. More than the whole budget is the whole budget: a single request of
    /// legal size must get through, alone if need be.
    pub async fn reserve(&self, bytes: usize) -> Reservation {
        let permit = self.semaphore.clone().acquire_many_owned(self.units(bytes)).await;
        // The semaphore is never closed.
        let Ok(permit) = permit else { return std::future::pending().await };
        Reservation { _permit: permit }
    }

    /// As [`MemoryBudget::reserve`], if there is enough now.
    pub fn try_reserve(&self, bytes: usize) -> Option<Reservation> {
        let permit = self.semaphore.clone().try_acquire_many_owned(self.units(bytes)).ok()?;
        Some(Reservation { _permit: permit })
    }

    fn units(&self, bytes: usize) -> u32 {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        units.min(self.total_units)
    }
}

/// What this process may use: the smaller of the machine's memory and its cgroup's limit.
fn memory_limit() -> u64 {
    let machine = read_machine_memory().unwrap_or(1 << 30);
    let cgroup = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    cgroup.map_or(machine, |limit| limit.min(machine))
}

fn read_machine_memory() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reservations_wait_for_each_other() {
        let budget = MemoryBudget::new(BUDGET_BYTES_MIN);
        let half = BUDGET_BYTES_MIN as usize / 2;
        let first = budget.reserve(half).await;
        assert_eq!(budget.used_bytes(), half as u64);
        let mut second = Box::pin(budget.reserve(half + 1));
        tokio::select! {
            biased;
            _ = &mut second => unreachable!("there is not enough left"),
            () = std::future::ready(()) => {}
        }
        drop(first);
        drop(second.await);
        assert_eq!(budget.used_bytes(), 0);
        // More than there is counts as all there is.
        drop(budget.reserve(usize::MAX).await);
    }

    #[test]
    fn the_machine_has_memory() {
        assert!(MemoryBudget::of_machine().total_bytes() >= BUDGET_BYTES_MIN);
    }
}
