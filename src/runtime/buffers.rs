//! Buffers for whole chunks, made once and used again: between the disk's threads and the network's
//! one. Their number is the budget: who finds none waits, so memory stays bounded however many peers
//! ask. Owned by `serving` and by `transfers`, one set each, so that neither can starve the other.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    types::CHUNK_BYTES,
    wire::fetch::{CHUNK_HEADER_BYTES, TAKE_MAX},
};

/// A chunk, or as many small ones as a request may have, each behind its number.
pub(crate) const BUFFER_BYTES: usize = CHUNK_BYTES as usize + TAKE_MAX as usize * CHUNK_HEADER_BYTES;

/// A set of buffers. Clones share it.
#[derive(Clone)]
pub(crate) struct Buffers {
    /// Those not in use, made so far.
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    places: Arc<Semaphore>,
}

/// A buffer in use; it goes back when dropped.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    len: usize,
    home: Buffers,
    _place: OwnedSemaphorePermit,
}

impl Buffers {
    /// At most `count` buffers; none is made before it is needed.
    pub(crate) fn new(count: usize) -> Self {
        Self { free: Arc::default(), places: Arc::new(Semaphore::new(count)) }
    }

    /// A buffer, as soon as one is free.
    pub(crate) async fn take(&self) -> Buffer {
        let place = Arc::clone(&self.places).acquire_owned().await;
        self.make(place.expect("the semaphore is never closed"))
    }

    /// A buffer, if one is free now.
    pub(crate) fn try_take(&self) -> Option<Buffer> {
        // No place is the answer, not a failure.
        Arc::clone(&self.places).try_acquire_owned().ok().map(|place| self.make(place))
    }

    fn make(&self, place: OwnedSemaphorePermit) -> Buffer {
        let bytes = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = bytes.unwrap_or_else(|| vec![0; BUFFER_BYTES]);
        Buffer { bytes, len: 0, home: self.clone(), _place: place }
    }
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers").field("free", &self.places.available_permits()).finish_non_exhaustive()
    }
}

impl Buffer {
    /// All of it, [`BUFFER_BYTES`] long, with whatever was in it before.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// All of it, to read.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How much of it counts.
    pub(crate) fn set_len(&mut self, len: usize) {
        self.len = len.min(BUFFER_BYTES);
    }

    /// What counts, to send without a copy; the buffer goes back when the last byte is acknowledged.
    pub(crate) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.home.free.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn buffers_come_back_and_there_are_never_more() {
        let buffers = Buffers::new(2);
        let (mut first, second) = (buffers.take().await, buffers.take().await);
        assert!(buffers.try_take().is_none());
        first.room()[..3].copy_from_slice(b"abc");
        first.set_len(3);
        let sent = first.freeze();
        assert_eq!(&sent[..], b"abc");
        drop((sent, second));
        assert_eq!(buffers.free.lock().unwrap().len(), 2);
        assert!(buffers.try_take().is_some());
    }
}
