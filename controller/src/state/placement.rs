//! Where the replicas of new partitions go: Kafka's striped, rack-aware placement.
//!
//! The first replica moves from rack to rack with each partition and is always on an unfenced
//! broker; the next replicas go to the racks after it, one each, before any rack gets a second.
//! Within a rack, unfenced brokers come before fenced ones, each list read from an offset that moves
//! with every partition. When as many partitions are placed as there are unfenced brokers,
//! everything is shuffled, so that the same brokers do not always sit next to each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::random::SeededRandom;
use crate::image::brokers::BrokersImage;

/// Why replicas cannot be placed, in Kafka's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PlacementError {
    #[error("Invalid replication factor {0}: the replication factor must be positive.")]
    NotPositive(i16),
    #[error("All brokers are currently fenced.")]
    AllFenced,
    #[error(
        "The target replication factor of {replication_factor} cannot be reached because only \
         {brokers} broker(s) are registered or some brokers have all their log directories cordoned."
    )]
    TooFewBrokers { replication_factor: i16, brokers: usize },
}

/// The replicas of `partitions` new partitions, the preferred leader first.
pub(super) fn place(
    brokers: &BrokersImage,
    partitions: usize,
    replication_factor: i16,
    random: &mut SeededRandom,
) -> Result<Vec<Vec<i32>>, PlacementError> {
    let replicas = usize::try_from(replication_factor)
        .ok()
        .filter(|factor| *factor > 0)
        .ok_or(PlacementError::NotPositive(replication_factor))?;
    let mut racks = Racks::new(brokers, random);
    if racks.unfenced == 0 {
        return Err(PlacementError::AllFenced);
    }
    if replicas > brokers.len() {
        return Err(PlacementError::TooFewBrokers { replication_factor, brokers: brokers.len() });
    }
    Ok((0..partitions).map(|_| racks.place(replicas, random)).collect())
}

/// Brokers that are given out one after the other, from an offset that moves with each epoch.
#[derive(Debug, Default)]
struct BrokerList {
    brokers: Vec<i32>,
    index: usize,
    offset: usize,
    epoch: usize,
}

impl BrokerList {
    fn next(&mut self, epoch: usize) -> Option<i32> {
        let len = self.brokers.len();
        if len > 0 && self.epoch != epoch {
            self.epoch = epoch;
            self.index = 0;
            self.offset = (self.offset + 1) % len;
        }
        if self.index >= len {
            return None;
        }
        let broker = self.brokers.get((self.index + self.offset) % len).copied();
        self.index += 1;
        broker
    }
}

#[derive(Debug, Default)]
struct Rack {
    unfenced: BrokerList,
    fenced: BrokerList,
}

impl Rack {
    fn next(&mut self, epoch: usize) -> Option<i32> {
        self.unfenced.next(epoch).or_else(|| self.fenced.next(epoch))
    }
}

/// All racks; brokers without one share a rack of their own.
#[derive(Debug)]
struct Racks {
    racks: Vec<Rack>,
    unfenced: usize,
    epoch: usize,
    offset: usize,
}

impl Racks {
    fn new(brokers: &BrokersImage, random: &mut SeededRandom) -> Self {
        let mut by_name: BTreeMap<Option<Arc<str>>, Rack> = BTreeMap::new();
        let mut unfenced = 0;
        for broker in brokers.iter() {
            let rack = by_name.entry(broker.rack.clone()).or_default();
            if broker.fenced {
                rack.fenced.brokers.push(broker.id);
            } else {
                rack.unfenced.brokers.push(broker.id);
                unfenced += 1;
            }
        }
        let mut racks: Vec<Rack> = by_name.into_values().collect();
        for rack in &mut racks {
            rack.unfenced.offset = random.below(rack.unfenced.brokers.len());
            rack.fenced.offset = random.below(rack.fenced.brokers.len());
        }
        let offset = random.below(racks.len());
        Racks { racks, unfenced, epoch: 0, offset }
    }

    /// The caller has checked that there are enough brokers and one of them is unfenced, which is
    /// why both searches end.
    fn place(&mut self, replicas: usize, random: &mut SeededRandom) -> Vec<i32> {
        // With a single unfenced broker the epoch goes on: starting over would give it out twice.
        if self.epoch == self.unfenced && self.unfenced > 1 {
            self.shuffle(random);
            self.epoch = 0;
        }
        let count = self.racks.len();
        self.offset %= count;
        let mut placed = Vec::with_capacity(replicas);
        let mut first_rack = None;
        for rack_index in (self.offset..count).chain(0..self.offset) {
            if let Some(broker) = self.racks[rack_index].unfenced.next(self.epoch) {
                placed.push(broker);
                first_rack = Some(rack_index);
                break;
            }
        }
        let mut rack_index = self.offset;
        while placed.len() < replicas {
            // The leader's rack sits out the first round.
            if first_rack == Some(rack_index) {
                first_rack = None;
            } else if let Some(broker) = self.racks[rack_index].next(self.epoch) {
                placed.push(broker);
            }
            rack_index = (rack_index + 1) % count;
        }
        self.epoch += 1;
        self.offset += 1;
        placed
    }

    fn shuffle(&mut self, random: &mut SeededRandom) {
        random.shuffle(&mut self.racks);
        for rack in &mut self.racks {
            random.shuffle(&mut rack.unfenced.brokers);
            random.shuffle(&mut rack.fenced.brokers);
        }
    }
}

#[cfg(test)]
mod tests;
