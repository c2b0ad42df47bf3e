//! The requests of one connection that have started and whose answers have not left, in order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use super::connection::End;
use super::output::Output;
use crate::dispatch::{Answered, Fault, Reply, Running, overlaps};

/// Requests that one connection may have under way.
const PENDING_MAX: usize = 256;

/// The requests under way on one connection.
#[derive(Debug)]
pub struct Pending<'a> {
    slots: VecDeque<Slot<'a>>,
    /// How many slots have not finished.
    running: usize,
    /// How many of those are not to be overlapped.
    exclusive: usize,
    /// How many requests of the whole broker wait for something.
    waiting: &'a AtomicUsize,
}

#[derive(Debug)]
enum Slot<'a> {
    Running(Running<'a>),
    Finished(Result<Answered, Fault>),
}

impl<'a> Pending<'a> {
    pub fn new(waiting: &'a AtomicUsize) -> Self {
        Self { slots: VecDeque::new(), running: 0, exclusive: 0, waiting }
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// A single request waits, and nothing may start beside it.
    pub fn waits_alone(&self) -> bool {
        self.slots.len() == 1 && self.exclusive == 1
    }

    pub fn has_room(&self) -> bool {
        self.slots.len() < PENDING_MAX
    }

    /// Whether this request may start while those before it are still under way.
    pub fn may_start(&self, frame: &Bytes) -> bool {
        self.running == 0 || (self.exclusive == 0 && overlaps(frame) && self.has_room())
    }

    /// Starts a request: most have finished when this returns.
    pub fn start(&mut self, mut request: Running<'a>, cx: &mut Context<'_>) {
        match request.poll(cx) {
            Poll::Ready(result) => self.slots.push_back(Slot::Finished(result)),
            Poll::Pending => {
                self.running += 1;
                self.exclusive += usize::from(!request.overlaps());
                self.waiting.fetch_add(1, Ordering::Relaxed);
                self.slots.push_back(Slot::Running(request));
            }
        }
    }

    /// Polls what is under way. True: the first answer is there.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        if self.running > 0 {
            for slot in &mut self.slots {
                let Slot::Running(request) = slot else { continue };
                let Poll::Ready(result) = request.poll(cx) else { continue };
                self.running -= 1;
                self.exclusive -= usize::from(!request.overlaps());
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                *slot = Slot::Finished(result);
            }
        }
        matches!(self.slots.front(), Some(Slot::Finished(_)))
    }

    /// Moves the answers whose turn it is to the output. Returns for how long the client is to be
    /// silent then.
    pub fn take_finished(&mut self, output: &mut Output) -> Result<Duration, End> {
        let mut throttle = Duration::ZERO;
        while let Some(Slot::Finished(_)) = self.slots.front() {
            let Some(Slot::Finished(result)) = self.slots.pop_front() else { break };
            let answered = result?;
            throttle = throttle.max(answered.throttle);
            if let Reply::Response(response) = answered.reply {
                response.write_to(output)?;
            }
        }
        if self.slots.is_empty() && self.slots.capacity() > 16 {
            self.slots = VecDeque::new();
        }
        Ok(throttle)
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.running, Ordering::Relaxed);
    }
}
