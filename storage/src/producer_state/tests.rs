//! Sequences, epochs, duplicates, expiry, transactions, and the snapshot's bytes.

use super::*;

const PID: i64 = 7;

fn batch(epoch: i16, base_sequence: i32, records: i32) -> ProducerBatch {
    ProducerBatch {
        producer_id: PID,
        producer_epoch: epoch,
        base_sequence,
        last_offset_delta: records - 1,
        max_timestamp: 1_000,
        is_transactional: false,
    }
}

fn check(
    state: &ProducerStateManager,
    batch: ProducerBatch,
) -> Result<Verdict, ProducerStateError> {
    state.check(&batch, AppendOrigin::Client)
}

/// Appends batches of one record each with the sequences `first..=last` at those offsets.
fn with_sequences(epoch: i16, first: i32, last: i32) -> ProducerStateManager {
    let mut state = ProducerStateManager::new();
    for sequence in first..=last {
        state.update(&batch(epoch, sequence, 1), i64::from(sequence));
    }
    state
}

fn out_of_order(sequence: i32, last_sequence: i32) -> Result<Verdict, ProducerStateError> {
    Err(ProducerStateError::OutOfOrderSequence { producer_id: PID, sequence, last_sequence })
}

#[test]
fn sequences_wrap_to_zero() {
    assert_eq!(increment_sequence(i32::MAX, 1), 0);
    assert_eq!(increment_sequence(i32::MAX - 1, 3), 1);
    assert_eq!(increment_sequence(5, 0), 5);
    assert_eq!(increment_sequence(NO_SEQUENCE, 1), 0);
    assert_eq!(decrement_sequence(0, 1), i32::MAX);
    assert_eq!(decrement_sequence(1, 3), i32::MAX - 1);
    assert_eq!(decrement_sequence(i32::MAX, i32::MAX), 0);
}

#[test]
fn a_batch_without_a_producer_is_not_looked_at() {
    let mut state = ProducerStateManager::new();
    let plain = ProducerBatch { producer_id: NO_PRODUCER_ID, ..batch(-1, NO_SEQUENCE, 3) };
    assert_eq!(check(&state, plain), Ok(Verdict::Append));
    state.update(&plain, 0);
    assert!(state.is_empty());
}

#[test]
fn an_unknown_producer_may_start_anywhere() {
    let state = ProducerStateManager::new();
    assert_eq!(check(&state, batch(3, 1_234, 5)), Ok(Verdict::Append));
}

#[test]
fn the_next_sequence_is_appended_and_a_gap_refused() {
    let state = with_sequences(0, 0, 9);
    assert_eq!(check(&state, batch(0, 10, 4)), Ok(Verdict::Append));
    assert_eq!(check(&state, batch(0, 11, 1)), out_of_order(11, 9));
}

#[test]
fn the_last_five_batches_are_duplicates_with_their_old_offsets() {
    let state = with_sequences(0, 0, 9);
    for sequence in 5..=9 {
        let Ok(Verdict::Duplicate(original)) = check(&state, batch(0, sequence, 1)) else {
            panic!("sequence {sequence} is no duplicate");
        };
        assert_eq!(
            (original.base_offset(), original.last_offset),
            (sequence.into(), sequence.into())
        );
        assert_eq!(original.timestamp, 1_000);
    }
    assert_eq!(check(&state, batch(0, 4, 1)), out_of_order(4, 9));
    // Part of a remembered batch, or two of them at once, is not a retry that any client sends.
    assert_eq!(check(&state, batch(0, 8, 2)), out_of_order(8, 9));
}

#[test]
fn a_duplicate_across_the_wrap_is_recognised() {
    let mut state = ProducerStateManager::new();
    let wrapping = batch(0, i32::MAX - 1, 4);
    state.update(&wrapping, 100);
    let entry = state.entry(PID).unwrap();
    assert_eq!(entry.last_sequence(), 1);
    assert_eq!(entry.batches()[0].first_sequence(), i32::MAX - 1);
    assert!(matches!(check(&state, wrapping), Ok(Verdict::Duplicate(b)) if b.base_offset() == 100));
    assert_eq!(check(&state, batch(0, 2, 1)), Ok(Verdict::Append));

    let at_the_end = with_sequences(0, i32::MAX, i32::MAX);
    assert_eq!(check(&at_the_end, batch(0, 0, 1)), Ok(Verdict::Append));
}

#[test]
fn an_older_epoch_is_refused_and_a_newer_one_starts_at_zero() {
    let mut state = with_sequences(4, 0, 3);
    assert_eq!(
        check(&state, batch(3, 4, 1)),
        Err(ProducerStateError::InvalidProducerEpoch {
            producer_id: PID,
            epoch: 3,
            current_epoch: 4
        })
    );
    assert_eq!(
        check(&state, batch(5, 4, 1)),
        Err(ProducerStateError::NewEpochNotAtZero {
            producer_id: PID,
            epoch: 5,
            sequence: 4,
            current_epoch: 4
        })
    );
    // Sequence 0 of the new epoch is not the remembered sequence 0 of the old one.
    assert_eq!(check(&state, batch(5, 0, 1)), Ok(Verdict::Append));
    state.update(&batch(5, 0, 1), 4);
    assert_eq!(state.entry(PID).unwrap().batches().len(), 1);
    assert_eq!(state.entry(PID).unwrap().producer_epoch(), 5);
}

#[test]
fn a_coordinator_has_no_sequences_but_an_epoch() {
    let mut state = ProducerStateManager::new();
    let commit = ProducerBatch { is_transactional: true, ..batch(2, NO_SEQUENCE, 1) };
    let origin = AppendOrigin::Coordinator;
    for offset in 0..3 {
        assert_eq!(state.check(&commit, origin), Ok(Verdict::Append));
        state.update(&commit, offset);
    }
    assert_eq!(state.entry(PID).unwrap().last_sequence(), NO_SEQUENCE);
    let zombie = ProducerBatch { producer_epoch: 1, ..commit };
    assert!(state.check(&zombie, origin).is_err());
    assert_eq!(state.check(&zombie, AppendOrigin::Replication), Ok(Verdict::Append));
}

#[test]
fn a_transaction_is_open_from_its_first_batch_to_its_marker() {
    let mut state = ProducerStateManager::new();
    let first = ProducerBatch { is_transactional: true, ..batch(0, 0, 2) };
    state.update(&first, 10);
    state.update(&ProducerBatch { base_sequence: 2, ..first }, 12);
    assert_eq!(state.first_undecided_offset(), Some(10));
    assert_eq!(
        check(&state, batch(0, 4, 1)),
        Err(ProducerStateError::InvalidTxnState { producer_id: PID })
    );
    let marker = EndTxnMarker {
        producer_id: PID,
        producer_epoch: 0,
        coordinator_epoch: 9,
        timestamp: 2_000,
    };
    let ended = CompletedTxn {
        producer_id: PID,
        first_offset: 10,
        last_offset: 14,
        last_stable_offset: 15,
    };
    assert_eq!(state.end_transaction(&marker, 14), Some(ended));
    assert_eq!(state.end_transaction(&marker, 15), None);
    assert_eq!(state.first_undecided_offset(), None);
    let entry = state.entry(PID).unwrap();
    assert_eq!((entry.coordinator_epoch(), entry.last_timestamp()), (9, 2_000));
    assert_eq!(check(&state, batch(0, 4, 1)), Ok(Verdict::Append));
    // A marker that bumps the epoch (KIP-890) makes the next sequence 0.
    state.end_transaction(&EndTxnMarker { producer_epoch: 1, ..marker }, 16);
    assert_eq!(check(&state, batch(1, 0, 1)), Ok(Verdict::Append));
    assert_eq!(check(&state, batch(1, 4, 1)), out_of_order(4, NO_SEQUENCE));
}

#[test]
fn what_is_unstable_begins_with_the_first_transaction_that_readers_cannot_judge() {
    let mut state = ProducerStateManager::new();
    let of = |producer_id, sequence| ProducerBatch {
        producer_id,
        is_transactional: true,
        ..batch(0, sequence, 5)
    };
    let marker = |producer_id| EndTxnMarker {
        producer_id,
        producer_epoch: 0,
        coordinator_epoch: 0,
        timestamp: 0,
    };
    assert_eq!(state.first_unstable_offset(), None);
    state.update(&of(1, 0), 10);
    state.update(&of(2, 0), 15);
    state.update(&of(1, 5), 20);
    assert_eq!(state.first_unstable_offset(), Some(10));
    // The second ends first: the first is still open before it.
    let second = state.end_transaction(&marker(2), 25).unwrap();
    assert_eq!((second.first_offset, second.last_stable_offset), (15, 10));
    let first = state.end_transaction(&marker(1), 26).unwrap();
    assert_eq!((first.first_offset, first.last_stable_offset), (10, 27));
    assert_eq!((state.first_undecided_offset(), state.first_unstable_offset()), (None, Some(10)));
    state.on_high_watermark(26);
    assert_eq!(state.first_unstable_offset(), Some(10), "its marker is at 26 and not seen yet");
    state.on_high_watermark(27);
    assert_eq!(state.first_unstable_offset(), None);
    // What is open survives a snapshot, what is ended does not matter after one.
    state.update(&of(2, 5), 30);
    let bytes = snapshot::encode(&state);
    let entries = snapshot::decode(&bytes).unwrap();
    let back = ProducerStateManager::from_entries(entries, i64::MAX, 1);
    assert_eq!((back.first_unstable_offset(), back.len()), (Some(30), 1));
    state.clear();
    assert_eq!(state.first_unstable_offset(), None);
}

#[test]
fn a_marker_is_fenced_by_newer_epochs() {
    let mut state = ProducerStateManager::new();
    let marker = |producer_epoch, coordinator_epoch| EndTxnMarker {
        producer_id: PID,
        producer_epoch,
        coordinator_epoch,
        timestamp: 0,
    };
    assert_eq!(state.check_marker(&marker(0, 0), 2), Ok(()), "an unknown producer");
    let open = ProducerBatch { is_transactional: true, ..batch(4, 0, 1) };
    state.update(&open, 0);
    let too_old = |epoch| {
        Err(ProducerStateError::InvalidProducerEpoch { producer_id: PID, epoch, current_epoch: 4 })
    };
    assert_eq!(state.check_marker(&marker(3, 0), 1), too_old(3));
    assert_eq!(state.check_marker(&marker(4, 0), 1), Ok(()));
    // Since KIP-890 each transaction has its own epoch, and its marker the one after it.
    assert_eq!(state.check_marker(&marker(4, 0), 2), too_old(4));
    assert_eq!(state.check_marker(&marker(5, 0), 2), Ok(()));
    state.end_transaction(&marker(5, 9), 1);
    assert_eq!(state.check_marker(&marker(5, 9), 2), Ok(()), "the same marker again");
    assert_eq!(
        state.check_marker(&marker(5, 8), 2),
        Err(ProducerStateError::TransactionCoordinatorFenced {
            producer_id: PID,
            epoch: 8,
            current_epoch: 9
        })
    );
    state.update(&ProducerBatch { producer_epoch: i16::MAX, ..open }, 2);
    assert_eq!(state.check_marker(&marker(i16::MAX, 9), 2), Ok(()), "there is no newer epoch");
}

#[test]
fn producers_expire_unless_their_transaction_is_open() {
    let mut state = with_sequences(0, 0, 0);
    let open = ProducerBatch { producer_id: 8, is_transactional: true, ..batch(0, 0, 1) };
    state.update(&open, 1);
    state.remove_expired(1_999, 1_000);
    assert_eq!(state.len(), 2);
    state.remove_expired(2_000, 1_000);
    assert_eq!(state.len(), 1);
    assert!(state.entry(8).is_some());
    // A timestamp at either end of the range does not overflow.
    state.update(&ProducerBatch { max_timestamp: i64::MIN, ..batch(0, 0, 1) }, 2);
    state.remove_expired(i64::MAX, 1_000);
    assert!(state.entry(PID).is_none());
}

#[test]
fn producers_are_bounded_and_the_idlest_go_first() {
    let mut state = ProducerStateManager::new();
    for id in 0..=PRODUCERS_MAX as i64 {
        state.update(&ProducerBatch { producer_id: id, ..batch(0, 0, 1) }, id);
    }
    assert_eq!(state.len(), PRODUCERS_MAX - PRODUCERS_MAX / 16 + 1);
    assert!(state.entry(0).is_none());
    assert!(state.entry(PRODUCERS_MAX as i64).is_some());
}

/// Written by Kafka 4.4.0's `ProducerStateManager.writeSnapshot` for the state of the next test.
const KAFKAS_SNAPSHOT: [&str; 4] = [
    "00016afbe56c00000003",
    "000000000000000200000000000300000000000000170000000300000000000003e8ffffffff0000000000000014",
    "00000000000000030001ffffffffffffffffffffffff00000000000000000000000500000002ffffffffffffffff",
    "000000000000000700030000000900000000000000090000000000000000000003e8ffffffffffffffffffffffff",
];

#[test]
fn a_snapshot_keeps_the_last_batch_of_every_producer() {
    let mut state = with_sequences(3, 0, 9);
    state.update(&ProducerBatch { producer_id: 2, is_transactional: true, ..batch(0, 0, 4) }, 20);
    let marker =
        EndTxnMarker { producer_id: 3, producer_epoch: 1, coordinator_epoch: 2, timestamp: 5 };
    state.end_transaction(&marker, 24);
    let bytes = snapshot::encode(&state);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, KAFKAS_SNAPSHOT.concat());
    let back = ProducerStateManager::from_entries(snapshot::decode(&bytes).unwrap(), 0, i64::MAX);
    assert_eq!(back.len(), 3);
    assert_eq!(back.entry(PID).unwrap().batches(), &state.entry(PID).unwrap().batches()[4..]);
    assert_eq!(back.entry(2), state.entry(2));
    assert_eq!(back.entry(3), state.entry(3));
    assert_eq!(snapshot::encode(&back), bytes);
    let expired = ProducerStateManager::from_entries(snapshot::decode(&bytes).unwrap(), 1_001, 1);
    assert_eq!(expired.active_producers().map(|e| e.producer_id()).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let bytes = snapshot::encode(&with_sequences(0, 0, 0));
    for len in 0..bytes.len() {
        assert!(snapshot::decode(&bytes[..len]).is_err(), "{len} bytes");
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(snapshot::decode(&flipped).is_err(), "bit {bit}");
    }
    // A count that its own CRC covers, but that the bytes cannot hold.
    let mut announced = vec![0, 1];
    let body = i32::MAX.to_be_bytes();
    announced.extend(protocol_codec::records::header::crc32c(&body).to_be_bytes());
    announced.extend(body);
    assert_eq!(
        snapshot::decode(&announced),
        Err(snapshot::SnapshotError::Count { count: i32::MAX, len: 10 })
    );
}
