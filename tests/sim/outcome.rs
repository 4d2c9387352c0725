//! What came of a party: times, bytes and runs, and the figures made of them.

use std::collections::VecDeque;

use super::net::Nanos;

/// How it ended.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) all_done: bool,
    pub(crate) ended: Nanos,
    pub(crate) seats: Vec<SeatOutcome>,
    pub(crate) requests: u64,
    /// Bytes of chunks that were cancelled on their way.
    pub(crate) cancelled_bytes: f64,
    /// Bytes that came after their request was given up.
    pub(crate) late_bytes: f64,
    pub(crate) bad: u32,
    /// The longest line at one server.
    pub(crate) waiting_max: usize,
    /// Bytes from the first to the second switch and back.
    pub(crate) uplink_bytes: Option<[f64; 2]>,
    pub(crate) reads: Runs,
    pub(crate) writes: Runs,
}

/// How it ended for one seat.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeatOutcome {
    pub(crate) joined: Nanos,
    pub(crate) done: Option<Nanos>,
    pub(crate) sent_bytes: f64,
    pub(crate) wasted_bytes: f64,
    pub(crate) left_bytes: u64,
}

/// How chunks follow each other on a disk. One that follows one of the last few is no new run: a disk's
/// queue and the kernel's write-back put those side by side.
#[derive(Debug, Default, Clone)]
pub(crate) struct Runs {
    steps: u64,
    runs: u64,
    lately: VecDeque<u32>,
}

/// Chunks that a kernel holds back or reads ahead without being asked twice.
const LATELY: usize = 16;

impl Runs {
    pub(crate) fn step(&mut self, chunk: u32) {
        self.steps += 1;
        let near = self.lately.iter().any(|before| before.abs_diff(chunk) <= 1);
        self.runs += u64::from(!near);
        if self.lately.len() == LATELY {
            self.lately.pop_front();
        }
        self.lately.push_back(chunk);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.runs += other.runs;
    }

    pub(crate) fn mean(&self) -> f64 {
        self.steps as f64 / self.runs.max(1) as f64
    }
}

impl Outcome {
    /// Seconds from when a seat came until it was done; to the end when it never was.
    pub(crate) fn took(&self, seat: usize) -> f64 {
        let known = &self.seats[seat];
        known.done.unwrap_or(self.ended).saturating_sub(known.joined) as f64 / 1e9
    }

    /// Bytes that were of no use.
    pub(crate) fn wasted_bytes(&self) -> f64 {
        self.cancelled_bytes + self.late_bytes + self.seats.iter().map(|seat| seat.wasted_bytes).sum::<f64>()
    }
}
