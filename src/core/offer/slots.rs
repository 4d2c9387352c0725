//! How many requests are served at the same time. Owned by [`super::Offer`].
//!
//! A room that waits for one server is fed fastest when few are served at a time and pass on what they
//! have; too few leave the port idle when their own ports are busy. A request that takes much longer than
//! others do is slow for a reason of its own: it goes on, but no longer counts, so that a few slow takers do
//! not keep the fast ones waiting.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::RequestNo;

/// Simulated with ports of 200 Mbit/s, last seat over bound in rooms of 10 and of 100: 4 slots 1.13 and
/// 1.44, 6 slots 1.07 and 1.26, 8 slots 1.06 and 1.23, 12 slots 1.05 and 1.28.
const SLOTS: usize = 8;

/// Times the usual time after which a request no longer counts. (Simulated: 4 makes a room of ten with ports
/// of 1 Gbit/s 5 % slower, and wastes a fiftieth of what it moves.)
const SLOW_FACTOR: u32 = 2;
/// Nobody is slow before this: on fast links a hiccup is longer than many sends.
const SLOW_MIN: Duration = Duration::from_millis(50);
/// The usual time until one is known: one chunk at the least limit.
const USUAL_AT_FIRST: Duration = Duration::from_secs(1);

/// The requests that are served and count.
///
/// Invariant: `since` and `slow_at` name the same requests.
#[derive(Debug)]
pub(super) struct Slots {
    /// When it was served first, and when it stops counting.
    since: BTreeMap<RequestNo, (Instant, Instant)>,
    slow_at: BTreeSet<(Instant, RequestNo)>,
    usual: Duration,
}

impl Default for Slots {
    fn default() -> Self {
        Self { since: BTreeMap::new(), slow_at: BTreeSet::new(), usual: USUAL_AT_FIRST }
    }
}

impl Slots {
    pub(super) fn is_free(&self) -> bool {
        self.since.len() < SLOTS
    }

    /// A request is given something; the slot is its own until it is taken, freed or slow.
    pub(super) fn on_given(&mut self, request: RequestNo, now: Instant) {
        let until = now + (self.usual * SLOW_FACTOR).max(SLOW_MIN);
        let since = self.free(request).unwrap_or(now);
        self.since.insert(request, (since, until));
        self.slow_at.insert((until, request));
    }

    pub(super) fn on_taken(&mut self, request: RequestNo, now: Instant) {
        if let Some(since) = self.free(request) {
            let took = now.saturating_duration_since(since);
            // Measured by the quick ones, so that many slow takers do not become the usual case.
            let weight = if took < self.usual { 4 } else { 32 };
            self.usual = (self.usual * (weight - 1) + took) / weight;
        }
    }

    /// Since when it was served, if it counted.
    pub(super) fn free(&mut self, request: RequestNo) -> Option<Instant> {
        let (since, until) = self.since.remove(&request)?;
        self.slow_at.remove(&(until, request));
        Some(since)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, request)) = self.slow_at.first().copied().filter(|(until, _)| *until <= now) {
            self.free(request);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.slow_at.first().map(|(until, _)| *until)
    }
}
