//! What placement promises, whatever the brokers and racks are.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::btree_map;
use proptest::prelude::*;

use super::*;
use crate::image::MetadataImage;
use crate::image::brokers::BrokerRegistration;
use crate::record::MetadataRecord;

/// Brokers by id: rack and whether it is fenced.
fn brokers() -> impl Strategy<Value = BTreeMap<i32, (Option<u8>, bool)>> {
    btree_map(0..40, (proptest::option::of(0..4_u8), proptest::bool::weighted(0.2)), 1..12)
}

fn image(brokers: &BTreeMap<i32, (Option<u8>, bool)>) -> BrokersImage {
    let mut image = MetadataImage::default();
    for (id, (rack, fenced)) in brokers {
        let rack = rack.map(|rack| Arc::from(rack.to_string()));
        let broker = BrokerRegistration { id: *id, rack, fenced: *fenced, ..Default::default() };
        image.replay(&MetadataRecord::RegisterBroker(broker)).unwrap();
    }
    image.brokers
}

proptest! {
    #[test]
    fn replicas_are_distinct_led_by_an_unfenced_broker_and_spread(
        brokers in brokers(), partitions in 1..30_usize, factor in 1..6_i16, seed in any::<u128>()
    ) {
        let mut random = SeededRandom::new(seed);
        let placed = place(&image(&brokers), partitions, factor, &mut random);
        let unfenced: BTreeSet<i32> =
            brokers.iter().filter(|(_, (_, fenced))| !fenced).map(|(id, _)| *id).collect();
        let factor = usize::try_from(factor).unwrap();
        if unfenced.is_empty() || factor > brokers.len() {
            prop_assert!(placed.is_err());
            return Ok(());
        }
        let racks: BTreeSet<Option<u8>> = brokers.values().map(|(rack, _)| *rack).collect();
        let placed = placed.unwrap();
        prop_assert_eq!(placed.len(), partitions);
        for replicas in placed {
            let distinct: BTreeSet<i32> = replicas.iter().copied().collect();
            prop_assert_eq!((replicas.len(), distinct.len()), (factor, factor));
            prop_assert!(unfenced.contains(&replicas[0]));
            let used: BTreeSet<Option<u8>> = replicas.iter().map(|id| brokers[id].0).collect();
            prop_assert_eq!(used.len(), racks.len().min(factor), "one rack each, as far as it goes");
        }
    }

    #[test]
    fn leaders_are_as_even_as_can_be_without_racks(
        count in 1..8_i32, rounds in 1..5_usize, seed in any::<u128>()
    ) {
        let brokers = (0..count).map(|id| (id, (None, false))).collect();
        let partitions = rounds * usize::try_from(count).unwrap();
        let placed =
            place(&image(&brokers), partitions, 1, &mut SeededRandom::new(seed)).unwrap();
        for id in 0..count {
            let led = placed.iter().filter(|replicas| replicas[0] == id).count();
            prop_assert_eq!(led, rounds);
        }
    }

    #[test]
    fn topic_ids_are_of_version_4_and_no_option(seed in any::<u128>()) {
        let mut random = SeededRandom::new(seed);
        let ids: BTreeSet<_> = (0..50).map(|_| random.topic_id()).collect();
        prop_assert_eq!(ids.len(), 50);
        for id in ids {
            prop_assert_eq!((id.as_bytes()[6] >> 4, id.as_bytes()[8] >> 6), (4, 2));
            prop_assert!(!id.to_string().starts_with('-'));
        }
    }
}
