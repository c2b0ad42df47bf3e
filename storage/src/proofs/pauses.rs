//! Two threads that take turns: one works, and stops before certain operations of the disk or looks
//! at the clock; the other does what it likes meanwhile. Never do both run, so that a history is the
//! same every time.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

thread_local! {
    static TURNS: RefCell<Option<Turns>> = const { RefCell::new(None) };
}

/// Of a thread that stops now and then.
struct Turns {
    stopped: Sender<()>,
    go_on: Receiver<usize>,
    /// Operations before it stops.
    left: usize,
}

/// Before each operation: whether it is the turn of another.
pub(super) fn point() {
    TURNS.with_borrow_mut(|turns| {
        let Some(Turns { stopped, go_on, left }) = turns else { return };
        if *left > 0 {
            *left -= 1;
            return;
        }
        match stopped.send(()).ok().and_then(|()| go_on.recv().ok()) {
            Some(next) => *left = next,
            // Nobody wants it to stop again.
            None => *turns = None,
        }
    });
}

/// Does `work` in a thread of its own, which stops after so many operations. Then it is the turn of
/// `meanwhile`, which says after how many more it stops again, if it does.
pub(super) fn take_turns<T: Send>(
    first: usize,
    work: impl FnOnce() -> T + Send,
    mut meanwhile: impl FnMut() -> Option<usize>,
) -> T {
    let (stopped, stops) = channel();
    let (next, go_on) = channel();
    thread::scope(|scope| {
        let worker = scope.spawn(move || {
            TURNS.set(Some(Turns { stopped, go_on, left: first }));
            let done = work();
            TURNS.set(None);
            done
        });
        let mut next = Some(next);
        while stops.recv().is_ok() {
            match (meanwhile(), &next) {
                (Some(count), Some(next)) => next.send(count).unwrap(),
                _ => next = None,
            }
        }
        worker.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_taken_at_the_points_that_were_asked_for() {
        let points = parking_lot::Mutex::new(0);
        let work = || {
            for _ in 0..10 {
                point();
                *points.lock() += 1;
            }
            "done"
        };
        let (mut seen, mut gaps) = (Vec::new(), vec![None, Some(3), Some(0)]);
        let meanwhile = || {
            seen.push(*points.lock());
            gaps.pop().flatten()
        };
        assert_eq!(take_turns(2, work, meanwhile), "done");
        assert_eq!(seen, [2, 3, 7]);
        // Without a thread that waits for it nothing stops.
        point();
    }

    #[test]
    fn a_panic_of_either_ends_both() {
        let other = || std::panic::catch_unwind(|| take_turns(0, point, || panic!("here")));
        assert!(other().is_err());
        let worker = std::panic::catch_unwind(|| take_turns(0, || panic!("there"), || Some(0)));
        assert!(worker.is_err());
    }
}
