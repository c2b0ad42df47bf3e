//! Buffers that are used again.
//!
//! The first touch of fresh memory costs 1.4 us for 4 KiB on a virtual machine, more than all the
//! rest of a small request, so the buffers that requests are read into go round. The pool keeps a
//! bounded amount; what is beyond it is given back to the allocator.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use super::budget::Reservation;

/// A connection's own buffer, which holds several small requests.
pub const SMALL_BUFFER_BYTES: usize = 128 << 10;

/// Buffers of connections that are idle now.
const SMALL_POOLED_MAX: usize = 32;

/// The memory of all large buffers that wait for use.
const LARGE_POOLED_BYTES_MAX: usize = 16 << 20;

/// Larger buffers are not kept.
const LARGE_POOLED_EACH_MAX: usize = 8 << 20;

/// The capacity of large buffers is a multiple of this, so that they fit more than one request.
const LARGE_STEP_BYTES: usize = 128 << 10;

/// Free buffers of all connections.
#[derive(Debug, Default)]
pub struct BufferPool {
    small: Mutex<Vec<BytesMut>>,
    large: Mutex<LargePool>,
}

#[derive(Debug, Default)]
struct LargePool {
    free: Vec<BytesMut>,
    bytes: usize,
}

/// A buffer for one large frame, with its part of the memory budget. It becomes [`Bytes`]; when
/// the last slice of them is dropped, the buffer returns to the pool and the budget gets its
/// part back.
#[derive(Debug)]
pub struct FrameBuffer {
    pub bytes: BytesMut,
    pool: Arc<BufferPool>,
    _reservation: Option<Reservation>,
}

impl BufferPool {
    /// An empty buffer of [`SMALL_BUFFER_BYTES`].
    pub fn take_small(&self) -> BytesMut {
        let pooled = self.small.lock().pop();
        pooled.unwrap_or_else(|| BytesMut::with_capacity(SMALL_BUFFER_BYTES))
    }

    /// Takes a small buffer back, unless slices of it are still in use or there are enough.
    pub fn give_small(&self, mut buffer: BytesMut) {
        buffer.clear();
        if !buffer.try_reclaim(SMALL_BUFFER_BYTES) {
            return;
        }
        let mut free = self.small.lock();
        if free.len() < SMALL_POOLED_MAX {
            free.push(buffer);
        }
    }

    /// A buffer with room for `len` bytes.
    pub fn take_large(
        self: &Arc<Self>,
        len: usize,
        reservation: Option<Reservation>,
    ) -> FrameBuffer {
        let bytes = self.large.lock().take(len);
        let bytes = bytes
            .unwrap_or_else(|| BytesMut::with_capacity(len.next_multiple_of(LARGE_STEP_BYTES)));
        FrameBuffer { bytes, pool: self.clone(), _reservation: reservation }
    }
}

impl LargePool {
    fn take(&mut self, len: usize) -> Option<BytesMut> {
        let fits = |buffer: &BytesMut| {
            buffer.capacity() >= len && buffer.capacity() <= 2 * len.max(LARGE_STEP_BYTES)
        };
        let index = self.free.iter().rposition(fits)?;
        let buffer = self.free.swap_remove(index);
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    fn give(&mut self, mut buffer: BytesMut) {
        buffer.clear();
        let capacity = buffer.capacity();
        if capacity > LARGE_POOLED_EACH_MAX {
            return;
        }
        // The oldest go first, so that sizes that are not asked for any more do not stay.
        while self.bytes + capacity > LARGE_POOLED_BYTES_MAX && !self.free.is_empty() {
            self.bytes -= self.free.remove(0).capacity();
        }
        self.bytes += capacity;
        self.free.push(buffer);
    }
}

impl FrameBuffer {
    /// The bytes that were read, to be sliced and shared.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for FrameBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for FrameBuffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.pool.large.lock().give(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_returns_when_its_last_slice_is_dropped() {
        let pool = Arc::new(BufferPool::default());
        let mut buffer = pool.take_large(200_000, None);
        buffer.bytes.extend_from_slice(&[7; 200_000]);
        let address = buffer.bytes.as_ptr();
        let frame = buffer.freeze();
        let slice = frame.slice(10..20);
        drop(frame);
        assert_ne!(pool.take_large(200_000, None).bytes.as_ptr(), address);
        assert_eq!(&slice[..], &[7; 10]);
        drop(slice);
        let again = pool.take_large(190_000, None);
        assert_eq!(again.bytes.as_ptr(), address);
        assert!(again.bytes.is_empty());
    }

    #[test]
    fn a_small_buffer_in_use_is_not_pooled() {
        let pool = BufferPool::default();
        let mut buffer = pool.take_small();
        let address = buffer.as_ptr();
        buffer.extend_from_slice(b"request");
        let slice = buffer.split_to(7).freeze();
        pool.give_small(buffer);
        assert_ne!(pool.take_small().as_ptr(), address);
        assert_eq!(&slice[..], b"request");

        let mut buffer = pool.take_small();
        let address = buffer.as_ptr();
        buffer.extend_from_slice(b"request");
        drop(buffer.split_to(7).freeze());
        pool.give_small(buffer);
        let again = pool.take_small();
        assert_eq!((again.as_ptr(), again.capacity()), (address, SMALL_BUFFER_BYTES));
    }

    #[test]
    fn the_pool_is_bounded() {
        let pool = Arc::new(BufferPool::default());
        let buffers: Vec<_> = (0..40).map(|_| pool.take_large(1 << 20, None)).collect();
        drop(buffers);
        assert!(pool.large.lock().bytes <= LARGE_POOLED_BYTES_MAX);
    }
}
