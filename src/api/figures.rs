//! What is counted and measured beside the snapshot, for who watches many machines. Counters only
//! grow while the runtime lives.

use serde::{Deserialize, Serialize};

/// Counters since the start of the runtime, and how full its queues are now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Bytes of chunks received.
    pub bytes_in: u64,
    /// Bytes of chunks sent.
    pub bytes_out: u64,
    /// Chunks received that had their hash.
    pub chunks_in: u64,
    /// Chunks sent.
    pub chunks_out: u64,
    /// Chunks received that did not have their hash.
    pub bad_chunks_in: u64,
    /// Chunks of this disk that did not have their hash any more.
    pub bad_chunks_here: u64,
    /// Games made playable.
    pub installs_done: u64,
    /// Games that could not be made playable.
    pub installs_failed: u64,
    /// Services that were started again.
    pub restarts: u64,
    /// What waits for each part of the runtime, by its name.
    pub queues: Vec<Queue>,
    /// Events that slow faces did not get.
    pub events_dropped: u64,
    /// Lines that the log could not take in time.
    pub log_dropped: u64,
    /// Tasks that run.
    pub tasks: u64,
}

/// How full a queue is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Queue {
    /// Who reads it.
    pub name: String,
    /// What waits in it.
    pub depth: u64,
    /// What fits.
    pub max: u64,
}
