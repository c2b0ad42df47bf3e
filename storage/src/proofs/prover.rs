//! Runs a property over many random cases, on all cores, and shrinks the case that fails.

use std::fmt::Debug;
use std::io::Write as _;
use std::time::{Instant, SystemTime};
use std::{env, io, thread};

use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

/// How many cases a proof has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cases {
    pub(super) short: u32,
    pub(super) long: u32,
}

/// Whether the long forms are asked for.
pub(super) fn is_long() -> bool {
    env::var_os("BARNABAS_LONG").is_some()
}

impl Cases {
    pub(super) fn count(self) -> u32 {
        if is_long() { self.long } else { self.short }
    }
}

/// The short form looks at the same cases every time, the long one at others.
pub(super) fn seed() -> u64 {
    let chosen = env::var("BARNABAS_SEED").ok().and_then(|seed| seed.parse().ok());
    let of_the_day = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| since.as_nanos() as u64)
    };
    chosen.unwrap_or_else(|| if is_long() { of_the_day() } else { 0 })
}

/// Panics with the smallest case found for which `property` panics.
pub(super) fn prove<S: Strategy>(
    name: &str,
    cases: Cases,
    strategy: impl Fn() -> S + Sync,
    property: impl Fn(S::Value) + Sync,
) {
    if let Err(failure) = try_to_prove(name, cases, strategy, property) {
        panic!("{failure}");
    }
}

/// As [`prove`], but returns what failed.
pub(super) fn try_to_prove<S: Strategy>(
    name: &str,
    cases: Cases,
    strategy: impl Fn() -> S + Sync,
    property: impl Fn(S::Value) + Sync,
) -> Result<(), String> {
    let (count, seed, began) = (cases.count(), seed(), Instant::now());
    let workers = thread::available_parallelism().map_or(1, |cores| cores.get() as u32).min(count);
    let work = |worker: u32| {
        let share = count / workers + u32::from(worker < count % workers);
        run(share, seed, worker, &strategy(), &property)
    };
    let failures: Vec<String> = thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..workers).map(|w| scope.spawn(move || work(w))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap().err()).collect()
    });
    if !failures.is_empty() {
        return Err(format!("{name} (BARNABAS_SEED={seed}): {}", failures.join("\n")));
    }
    report(&format!("{name}: {count} cases of seed {seed} in {:.0?}", began.elapsed()));
    Ok(())
}

/// One case, always the same for the same seed.
pub(super) fn example<S: Strategy>(strategy: &S, seed: u64) -> S::Value {
    let random = random(seed, 0);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    strategy.new_tree(&mut runner).unwrap().current()
}

fn random(seed: u64, worker: u32) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..12].copy_from_slice(&worker.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// Figures are wanted of long runs, and are not caught with the output of tests.
pub(super) fn report(text: &str) {
    if is_long() {
        let _ = writeln!(io::stderr(), "{text}");
    }
}

fn run<S: Strategy>(
    cases: u32,
    seed: u64,
    worker: u32,
    strategy: &S,
    property: &impl Fn(S::Value),
) -> Result<(), String>
where
    S::Value: Debug,
{
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let ran = TestRunner::new_with_rng(config, random(seed, worker)).run(strategy, |case| {
        property(case);
        Ok(())
    });
    ran.map_err(|error| match error {
        TestError::Fail(reason, case) => format!("{reason}\nsmallest case: {case:?}"),
        TestError::Abort(reason) => reason.to_string(),
    })
}
