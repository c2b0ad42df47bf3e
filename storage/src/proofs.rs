//! The proofs of what the crate promises, on the file system in memory. `docs/PROOFS.md` has every
//! promise beside the proof that holds it.
//!
//! All of them run histories: random steps of several partitions that share a log directory. A
//! [`world::World`] does each step to a real [`crate::LogManager`] and to the [`truth::Truth`] of
//! each partition, a list of batches, and compares the two.
//!
//! | file | proves |
//! |---|---|
//! | `histories.rs` | that logs are lists of batches, whatever happens, stops and crashes included |
//! | `cases.rs` | the same of a few histories that failed once |
//! | `power_cuts.rs` | that a power cut at any change of the disk loses nothing acknowledged |
//! | `faults.rs` | that a full or broken disk loses nothing acknowledged, and harms no other disk |
//! | `bit_flips.rs` | that a flipped bit never gives a reader a wrong record |
//! | `compaction.rs` | all of this for logs that are compacted |
//! | `beside.rs` | that compaction harms nothing that happens at the same time |
//! | `mutants.rs`, `compaction_mutants.rs` | that these proofs fail when a promise is broken |
//!
//! | file | helps |
//! |---|---|
//! | `prover.rs` | many cases from one seed, on all cores, shrunk when one fails |
//! | `steps.rs` | the steps, and random ones |
//! | `world.rs`, `truth.rs` | the log manager and what it must show |
//! | `cleaning.rs`, `compacted_truth.rs` | compaction in a world, and what it may take |
//! | `pauses.rs` | a thread that stops before an operation while others happen |
//! | `machine.rs`, `power.rs` | disks, and a switch that turns them off at a certain change |
//!
//! A failure prints its seed and the smallest history. `BARNABAS_LONG=1` runs the long forms,
//! `BARNABAS_SEED` chooses other histories.

mod beside;
mod bit_flips;
mod cases;
mod cleaning;
mod compacted_truth;
mod compaction;
mod compaction_mutants;
mod faults;
mod histories;
mod machine;
mod mutants;
mod pauses;
mod power;
mod power_cuts;
mod prover;
mod steps;
mod truth;
mod world;
