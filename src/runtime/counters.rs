//! What is counted for who watches from outside. Added to where it happens, by any thread; read by
//! the driver when somebody asks. Nothing is decided by it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A number that only grows. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counter(Arc<AtomicU64>);

impl Counter {
    /// One more.
    pub(crate) fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many by now.
    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All counters of a runtime; [`crate::api::Figures`] says what each is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters {
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) chunks_in: Counter,
    pub(crate) chunks_out: Counter,
    pub(crate) bad_chunks_in: Counter,
    pub(crate) bad_chunks_here: Counter,
    pub(crate) installs_done: Counter,
    pub(crate) installs_failed: Counter,
}
