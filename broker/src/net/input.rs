//! Frames in: what a connection has received and not yet handed on.
//!
//! Small frames are parsed out of one buffer that holds several of them; they leave as slices of
//! it. A larger frame gets a buffer of its own, but only once its first part has really arrived:
//! an announced length alone costs nothing. An idle connection holds no buffer.

use std::io;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::net::TcpStream;

use super::budget::{MemoryBudget, Reservation};
use super::buffers::{BufferPool, FrameBuffer, SMALL_BUFFER_BYTES};

/// The length in front of every frame.
const LENGTH_BYTES: usize = 4;

/// Frames up to this size, length included, are read into the connection's own buffer.
const SMALL_FRAME_BYTES_MAX: usize = 80 << 10;

/// Why what a client sends is no sequence of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("Invalid receive (size = {0})")]
    Negative(i32),
    #[error("Invalid receive (size = {size} larger than {max}, socket.request.max.bytes)")]
    TooLarge { size: usize, max: usize },
}

/// The receiving side of one connection.
#[derive(Debug)]
pub struct Input {
    pool: Arc<BufferPool>,
    budget: MemoryBudget,
    frame_bytes_max: usize,
    /// Its reservation was given back if the connection waits or waited for a larger one.
    small: Option<(BytesMut, Option<Reservation>)>,
    large: Option<LargeFrame>,
}

#[derive(Debug)]
struct LargeFrame {
    buffer: FrameBuffer,
    len: usize,
}

impl Input {
    pub fn new(pool: Arc<BufferPool>, budget: MemoryBudget, frame_bytes_max: usize) -> Self {
        Self { pool, budget, frame_bytes_max, small: None, large: None }
    }

    /// Takes the next frame that has arrived whole, without its length.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        if let Some(large) = self.large.take_if(|large| large.buffer.bytes.len() == large.len) {
            return Ok(Some(large.buffer.freeze()));
        }
        let Some(len) = self.announced()? else { return Ok(None) };
        let Some((small, _)) = &mut self.small else { return Ok(None) };
        if small.len() < LENGTH_BYTES + len {
            return Ok(None);
        }
        let frame = small.split_to(LENGTH_BYTES + len).freeze();
        Ok(Some(frame.slice(LENGTH_BYTES..)))
    }

    /// True when a frame has begun and is not complete.
    pub fn is_within_frame(&self) -> bool {
        self.large.is_some() || self.small.as_ref().is_some_and(|(small, _)| !small.is_empty())
    }

    /// The length of the frame that is being received; 0 when that is not known yet.
    pub fn frame_len(&self) -> usize {
        match &self.large {
            Some(large) => large.len,
            None => self.announced().ok().flatten().unwrap_or(0),
        }
    }

    /// The first four bytes that wait to be parsed.
    pub fn first_bytes(&self) -> Option<[u8; LENGTH_BYTES]> {
        let (small, _) = self.small.as_ref()?;
        small.first_chunk().copied()
    }

    /// Makes room for what comes, waiting for the memory budget.
    pub async fn prepare(&mut self) -> Result<(), FrameError> {
        while let Some(bytes) = self.missing_budget()? {
            // Nobody waits for memory and holds some: such connections could wait for each other
            // for ever, and one that wants the whole budget would wait for itself.
            if let Some((_, held)) = &mut self.small {
                *held = None;
            }
            let reservation = self.budget.reserve(bytes).await;
            self.make_room_with(reservation);
        }
        self.make_room();
        Ok(())
    }

    /// As [`Input::prepare`], without waiting. False: the budget is used up.
    pub fn try_prepare(&mut self) -> Result<bool, FrameError> {
        while let Some(bytes) = self.missing_budget()? {
            let Some(reservation) = self.budget.try_reserve(bytes) else { return Ok(false) };
            self.make_room_with(reservation);
        }
        self.make_room();
        Ok(true)
    }

    /// How much of the budget must be reserved before more can be read.
    fn missing_budget(&self) -> Result<Option<usize>, FrameError> {
        if self.large.is_some() {
            return Ok(None);
        }
        if let Some(len) = self.large_announced()? {
            return Ok(Some(len + LENGTH_BYTES));
        }
        let is_held = matches!(self.small, Some((_, Some(_))));
        Ok((!is_held).then_some(SMALL_BUFFER_BYTES))
    }

    /// The length of the next frame, if it needs a buffer of its own and has begun to arrive.
    fn large_announced(&self) -> Result<Option<usize>, FrameError> {
        let Some((small, _)) = &self.small else { return Ok(None) };
        let is_large = |len: &usize| {
            len + LENGTH_BYTES > SMALL_FRAME_BYTES_MAX && small.len() >= SMALL_FRAME_BYTES_MAX
        };
        Ok(self.announced()?.filter(is_large))
    }

    /// Uses a reservation of the size that [`Input::missing_budget`] said.
    fn make_room_with(&mut self, reservation: Reservation) {
        let large = self.large_announced().ok().flatten();
        let Some((small, held)) = &mut self.small else {
            self.small = Some((self.pool.take_small(), Some(reservation)));
            return;
        };
        let Some((len, beginning)) = large.zip(small.get(LENGTH_BYTES..)) else {
            *held = Some(reservation);
            return;
        };
        let mut buffer = self.pool.take_large(len, Some(reservation));
        // What lies behind the frame stays.
        let of_frame = beginning.len().min(len);
        buffer.bytes.extend_from_slice(&beginning[..of_frame]);
        small.advance(LENGTH_BYTES + of_frame);
        self.large = Some(LargeFrame { buffer, len });
    }

    fn make_room(&mut self) {
        if self.large.is_some() {
            return;
        }
        let needed = self.announced().ok().flatten().unwrap_or(0) + LENGTH_BYTES;
        let Some((small, _)) = &mut self.small else { return };
        if needed > SMALL_FRAME_BYTES_MAX || small.capacity() < needed.max(SMALL_BUFFER_BYTES / 2) {
            make_room(small, SMALL_BUFFER_BYTES, &self.pool);
        }
    }

    /// Reads what the socket has, up to the room that [`Input::prepare`] made. 0: the client
    /// closed its side. `WouldBlock`: nothing is there.
    pub fn try_read(&mut self, stream: &TcpStream) -> io::Result<usize> {
        if let Some(LargeFrame { buffer, len }) = &mut self.large {
            let missing = *len - buffer.bytes.len();
            return stream.try_read_buf(&mut (&mut buffer.bytes).limit(missing));
        }
        let Some((small, _)) = &mut self.small else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        // Never more than one large frame's beginning: the rest is read where it stays.
        let room = small.capacity() - small.len();
        stream.try_read_buf(&mut small.limit(room))
    }

    /// Gives the buffer back if nothing is in it: the connection has become idle.
    pub fn release_if_empty(&mut self) {
        if let Some((small, _reservation)) = self.small.take_if(|(small, _)| small.is_empty()) {
            self.pool.give_small(small);
        }
    }

    /// The length of the next frame, if its four bytes are there.
    fn announced(&self) -> Result<Option<usize>, FrameError> {
        let Some(first) = self.first_bytes() else { return Ok(None) };
        let size = i32::from_be_bytes(first);
        let len = usize::try_from(size).map_err(|_| FrameError::Negative(size))?;
        if len > self.frame_bytes_max {
            return Err(FrameError::TooLarge { size: len, max: self.frame_bytes_max });
        }
        Ok(Some(len))
    }
}

/// Gives `buffer` a capacity of `capacity` bytes from its first byte on. Where slices of it are
/// still in use, what is left of it moves to another buffer.
fn make_room(buffer: &mut BytesMut, capacity: usize, pool: &BufferPool) {
    if buffer.capacity() >= capacity || buffer.try_reclaim(capacity - buffer.len()) {
        return;
    }
    let mut fresh = pool.take_small();
    fresh.extend_from_slice(buffer);
    pool.give_small(std::mem::replace(buffer, fresh));
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, server) = tokio::join!(client, listener.accept());
        (client.unwrap(), server.unwrap().0)
    }

    fn input(frame_bytes_max: usize) -> Input {
        Input::new(Arc::default(), MemoryBudget::new(32 << 20), frame_bytes_max)
    }

    async fn receive(input: &mut Input, stream: &TcpStream) -> Result<Bytes, FrameError> {
        loop {
            if let Some(frame) = input.next_frame()? {
                return Ok(frame);
            }
            stream.readable().await.unwrap();
            input.prepare().await?;
            match input.try_read(stream) {
                Ok(0) => panic!("closed"),
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
    }

    #[tokio::test]
    async fn frames_of_all_sizes_come_out_as_they_went_in() {
        let (mut client, server) = pair().await;
        let sizes = [0, 1, 5, 70_000, 79_000, 81_919, 81_920, 200_000, 3, 3_000_000, 9, 100_000];
        let frames: Vec<Vec<u8>> = (0_u8..)
            .zip(sizes)
            .map(|(seed, size)| (0..size).map(|i| seed.wrapping_add((i % 251) as u8)).collect())
            .collect();
        let sent = frames.clone();
        let writer = tokio::spawn(async move {
            for frame in &sent {
                client.write_all(&(frame.len() as u32).to_be_bytes()).await.unwrap();
                client.write_all(frame).await.unwrap();
            }
            client
        });
        let mut input = input(4 << 20);
        // Some are kept, so that their buffers cannot be used again.
        let mut kept = Vec::new();
        for frame in &frames {
            let received = receive(&mut input, &server).await.unwrap();
            assert!(received == frame, "frame of {} bytes", frame.len());
            if kept.len() < 6 {
                kept.push(received);
            }
        }
        for (kept, frame) in kept.iter().zip(&frames) {
            assert!(kept == frame);
        }
        writer.await.unwrap();
        input.release_if_empty();
        assert!(input.small.is_none());
        drop(kept);
        assert_eq!(input.budget.used_bytes(), 0);
    }

    #[tokio::test]
    async fn frames_as_large_as_the_whole_budget_get_through() {
        let budget = MemoryBudget::new(16 << 20);
        let frame_bytes = budget.total_bytes() as usize + 1;
        let receive_one = async || {
            let (mut client, server) = pair().await;
            let writer = tokio::spawn(async move {
                client.write_all(&(frame_bytes as u32).to_be_bytes()).await.unwrap();
                client.write_all(&vec![7; frame_bytes]).await.unwrap();
                client.write_all(&[0, 0, 0, 1, 9]).await.unwrap();
                client
            });
            let mut input = Input::new(Arc::default(), budget.clone(), 32 << 20);
            assert_eq!(receive(&mut input, &server).await.unwrap().len(), frame_bytes);
            assert_eq!(receive(&mut input, &server).await.unwrap(), [9][..]);
            writer.await.unwrap();
        };
        // Both want all there is at the same time, and each has a part of it.
        let both = async { tokio::join!(receive_one(), receive_one()) };
        tokio::time::timeout(std::time::Duration::from_secs(60), both).await.unwrap();
        assert_eq!(budget.used_bytes(), 0);
    }

    #[tokio::test]
    async fn absurd_lengths_are_refused_before_anything_is_kept() {
        for (length, error) in [
            (-1, FrameError::Negative(-1)),
            (i32::MIN, FrameError::Negative(i32::MIN)),
            (1001, FrameError::TooLarge { size: 1001, max: 1000 }),
            (i32::MAX, FrameError::TooLarge { size: i32::MAX as usize, max: 1000 }),
        ] {
            let (mut client, server) = pair().await;
            client.write_all(&length.to_be_bytes()).await.unwrap();
            let mut input = input(1000);
            assert_eq!(receive(&mut input, &server).await.unwrap_err(), error);
        }
    }
}
