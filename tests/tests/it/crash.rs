//! A broker that ends in the middle of things: whatever was acknowledged is there afterwards, once.
//!
//! `numbered.rs` is the load and the check that all of these share: numbered records of an
//! idempotent producer with acks=all. Each kind of end has a short form in `./test` and a long one
//! (`BARNABAS_LONG=1`).

mod full_disk;
mod injected;
mod kill;
mod numbered;
mod power_cut;
