//! One connection: requests in, answers out, in order.
//!
//! Requests start in the order in which they came, and their handlers are polled here, on the
//! connection's own task. Only a Produce that waits (for a sync or for replicas) overlaps what
//! follows, and only another Produce: any other request starts after all earlier ones have
//! finished, so that a client reads its own writes. A client that does not read its answers is
//! not read from either, nor one that is throttled, until its time is over (KIP-219).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::NetContext;
use super::foreign::{self, Foreign};
use super::input::{FrameError, Input};
use super::output::{Output, Written};
use super::pending::Pending;
use crate::broker::Broker;
use crate::context::ConnectionInfo;
use crate::dispatch::{self, Fault};

/// When this much waits to be written, no further request is started.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// A frame that has begun must be complete after this time ...
const FRAME_TIME: Duration = Duration::from_secs(30);

/// ... and the time that it takes at this rate.
const FRAME_BYTES_PER_SECOND_MIN: u64 = 64 << 10;

/// Requests up to this size that may wait for long are copied, so that the buffer they came in is
/// free meanwhile: a consumer waits most of its time.
const COPIED_FRAME_BYTES_MAX: usize = 4 << 10;

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub enum End {
    #[error("the client closed it")]
    ByClient,
    #[error("the broker is shutting down")]
    Shutdown,
    #[error("idle for too long (connections.max.idle.ms)")]
    Idle,
    #[error("a request has begun and did not arrive in time")]
    SlowRequest,
    #[error("the client does not read its answers")]
    SlowReader,
    #[error("{}", .0.advice())]
    Foreign(Foreign),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Request(#[from] Fault),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Serves one connection until it ends.
pub async fn serve(
    stream: TcpStream,
    net: &NetContext,
    broker: &Broker,
    info: Arc<ConnectionInfo>,
) {
    let idle = net.settings().idle_max;
    let mut connection = Connection {
        stream: &stream,
        net,
        broker,
        info: &info,
        input: Input::new(net.pool.clone(), net.budget.clone(), net.settings().frame_bytes_max),
        output: Output::default(),
        pending: Pending::new(&net.waiting),
        next: None,
        client_has_closed: false,
        is_first_frame: true,
        muted_until: None,
        idle,
        last_activity: Instant::now(),
        timer: Box::pin(tokio::time::sleep(idle)),
    };
    let end = connection.run().await;
    connection.report(&end);
    if let End::Foreign(Foreign::Http) = end {
        let _ = stream.try_write(foreign::HTTP_ANSWER);
    }
}

struct Connection<'a> {
    stream: &'a TcpStream,
    net: &'a NetContext,
    broker: &'a Broker,
    info: &'a Arc<ConnectionInfo>,
    input: Input,
    output: Output,
    pending: Pending<'a>,
    /// A request that may not start yet.
    next: Option<Bytes>,
    client_has_closed: bool,
    is_first_frame: bool,
    /// Nothing is read or started before.
    muted_until: Option<Instant>,
    idle: Duration,
    last_activity: Instant,
    /// Fires at the latest when the connection has to be judged; see [`Connection::deadline`].
    timer: Pin<Box<Sleep>>,
}

/// What a waiting connection was woken for.
enum Event {
    /// The first answer that has to leave is there.
    Answer,
    Readable,
    Timer,
}

impl Connection<'_> {
    async fn run(&mut self) -> End {
        loop {
            let more = match poll_fn(|cx| Poll::Ready(self.start_requests(cx))).await {
                Ok(more) => more,
                Err(end) => return self.end_after_flush(end).await,
            };
            if let Err(end) = self.flush().await {
                return end;
            }
            if more {
                continue;
            }
            if self.pending.is_empty() {
                if self.client_has_closed {
                    return End::ByClient;
                }
                if self.net.is_draining() {
                    return End::Shutdown;
                }
            }
            if let Err(end) = self.wait().await {
                return end;
            }
        }
    }

    /// Starts what has arrived and may start. True: more could be started once the output is
    /// written.
    fn start_requests(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        loop {
            let throttle = self.pending.take_finished(&mut self.output)?;
            self.mute(throttle);
            if self.output.bytes() > OUTPUT_BYTES_MAX {
                return Ok(true);
            }
            if self.net.is_draining() || self.muted_until.is_some() {
                return Ok(false);
            }
            let Some(frame) = self.take_frame()? else { return Ok(false) };
            if !self.pending.may_start(&frame) {
                self.next = Some(frame);
                return Ok(false);
            }
            let may_wait = frame.len() <= COPIED_FRAME_BYTES_MAX && !dispatch::overlaps(&frame);
            let frame = if may_wait { Bytes::copy_from_slice(&frame) } else { frame };
            let request = dispatch::start(self.broker, self.info, frame)?;
            self.pending.start(request, cx);
        }
    }

    fn mute(&mut self, throttle: Duration) {
        if !throttle.is_zero() {
            let until = Instant::now() + throttle;
            self.muted_until = Some(self.muted_until.map_or(until, |muted| muted.max(until)));
        }
    }

    /// Whether the time of a throttled client is over: then it is as if it had just come.
    fn unmute_if_due(&mut self) -> bool {
        let is_due = self.muted_until.is_some_and(|until| until <= Instant::now());
        if is_due {
            self.muted_until = None;
            self.last_activity = Instant::now();
        }
        is_due
    }

    fn take_frame(&mut self) -> Result<Option<Bytes>, End> {
        if let Some(frame) = self.next.take() {
            return Ok(Some(frame));
        }
        if self.is_first_frame {
            let Some(first) = self.input.first_bytes() else { return Ok(None) };
            if let Some(foreign) = foreign::recognise(first) {
                return Err(End::Foreign(foreign));
            }
            self.is_first_frame = false;
        }
        let frame = self.input.next_frame()?;
        if frame.is_some() && self.input.is_within_frame() {
            // What lies behind it is the beginning of another.
            self.last_activity = Instant::now();
        }
        Ok(frame)
    }

    /// What was answered before the request that ends the connection still leaves.
    async fn end_after_flush(&mut self, end: End) -> End {
        let _ = self.pending.take_finished(&mut self.output);
        match self.flush().await {
            Ok(()) => end,
            Err(_) => end,
        }
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.output.is_empty() {
            return Ok(());
        }
        let mut stalled_since = Instant::now();
        let mut left = self.output.bytes();
        loop {
            match self.output.try_write(self.stream)? {
                Written::All => {
                    self.last_activity = Instant::now();
                    return Ok(());
                }
                Written::TakeTurns => tokio::task::yield_now().await,
                Written::Full => {
                    if self.output.bytes() < left {
                        left = self.output.bytes();
                        stalled_since = Instant::now();
                    }
                    let writable = self.stream.writable();
                    match tokio::time::timeout_at(stalled_since + self.idle, writable).await {
                        Ok(writable) => writable?,
                        Err(_) => return Err(End::SlowReader),
                    }
                }
            }
        }
    }

    /// Waits until there is something to do, and reads what there is to read.
    async fn wait(&mut self) -> Result<(), End> {
        let mut may_read = !self.client_has_closed
            && self.muted_until.is_none()
            && self.next.is_none()
            && self.pending.has_room();
        if self.pending.is_empty() && !self.input.is_within_frame() {
            self.input.release_if_empty();
            self.output.release();
        } else if self.pending.waits_alone() && self.next.is_none() {
            self.input.release_if_empty();
        }
        loop {
            let deadline = self.deadline(may_read);
            if self.timer.deadline() > deadline {
                self.timer.as_mut().reset(deadline);
            }
            match poll_fn(|cx| self.poll_event(cx, may_read)).await? {
                Event::Answer => return Ok(()),
                Event::Timer if self.unmute_if_due() => return Ok(()),
                Event::Timer => self.judge_time(may_read)?,
                Event::Readable if self.input.try_prepare()? => return self.read(),
                Event::Readable if self.pending.is_empty() => {
                    self.input.prepare().await?;
                    // That wait was not the client's.
                    self.last_activity = Instant::now();
                    return self.read();
                }
                // No memory now: what is pending gives some back.
                Event::Readable => may_read = false,
            }
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>, may_read: bool) -> Poll<io::Result<Event>> {
        if self.pending.poll(cx) {
            return Poll::Ready(Ok(Event::Answer));
        }
        if may_read && let Poll::Ready(ready) = self.stream.poll_read_ready(cx) {
            return Poll::Ready(ready.map(|()| Event::Readable));
        }
        self.timer.as_mut().poll(cx).map(|()| Ok(Event::Timer))
    }

    fn read(&mut self) -> Result<(), End> {
        let was_within_frame = self.input.is_within_frame();
        match self.input.try_read(self.stream) {
            Ok(0) => {
                self.client_has_closed = true;
                // Nobody is left to take what is still being worked on.
                Err(End::ByClient)
            }
            Ok(_) => {
                // A frame is given its time once, however many pieces it comes in.
                if !was_within_frame {
                    self.last_activity = Instant::now();
                }
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) if is_disconnect(&error) => Err(End::ByClient),
            Err(error) => Err(error.into()),
        }
    }

    /// When the connection is to be closed if nothing happens.
    fn deadline(&self, may_read: bool) -> Instant {
        if let Some(until) = self.muted_until {
            return until;
        }
        if self.input.is_within_frame() && (may_read || self.pending.is_empty()) {
            let rate = self.input.frame_len() as u64 / FRAME_BYTES_PER_SECOND_MIN;
            return self.last_activity + FRAME_TIME + Duration::from_secs(rate);
        }
        if !self.pending.is_empty() {
            // The request's own timeout decides; the client may be idle meanwhile.
            return Instant::now() + self.idle;
        }
        self.last_activity + self.idle
    }

    fn judge_time(&mut self, may_read: bool) -> Result<(), End> {
        let deadline = self.deadline(may_read);
        if deadline > Instant::now() {
            self.timer.as_mut().reset(deadline);
            return Ok(());
        }
        Err(if self.input.is_within_frame() { End::SlowRequest } else { End::Idle })
    }

    fn report(&self, end: &End) {
        let peer = self.info.peer;
        match end {
            End::ByClient | End::Shutdown | End::Idle => {
                tracing::debug!(%peer, "Connection closed: {end}");
            }
            End::Io(error) if is_disconnect(error) => {
                tracing::debug!(%peer, "Connection closed: {end}");
            }
            End::Request(Fault::NothingToSay) => {
                tracing::info!(%peer, "Closing connection to signal an error of a request with acks=0");
            }
            End::Io(_)
            | End::SlowRequest
            | End::SlowReader
            | End::Foreign(_)
            | End::Frame(_)
            | End::Request(_) => tracing::warn!(%peer, "Closing connection: {end}"),
        }
    }
}

fn is_disconnect(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
    )
}
