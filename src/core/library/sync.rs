//! Keeping up with one peer's library: which state of it we hold, which it said it is in, and when
//! to ask for the whole of it.

use std::time::{Duration, Instant};

use crate::types::LibraryDigest;

use super::entry::Delta;

/// A snapshot and a delta travel on two streams; this long one may be ahead of the other before we
/// take it that something was missed.
const GRACE: Duration = Duration::from_millis(300);
/// After a failed or useless snapshot the next try waits twice as long, up to this.
const RETRY_MAX: Duration = Duration::from_secs(300);
/// A peer that changes its mind without end gets no more than this of our time.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(2);
/// Lines of deltas kept while a snapshot is on its way; beyond that another snapshot makes up for them.
const KEPT_LINES_MAX: usize = 1_024;

/// The number of one request for a snapshot; an answer to an older one is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FetchNo(pub(super) u64);

/// What we are doing about a peer's library.
#[derive(Debug)]
enum State {
    /// What we hold is what it said it has.
    Even,
    /// It is not; a snapshot will be asked for unless a delta makes up for it.
    Behind { due: Instant },
    /// A snapshot was asked for; deltas that came meanwhile wait for it.
    Fetching { fetch: FetchNo, kept: Vec<Delta>, lines: usize },
}

/// The state of one peer's library here.
#[derive(Debug)]
pub(super) struct Sync {
    /// The digest of the lines we hold.
    held: LibraryDigest,
    /// The digest it said last.
    said: LibraryDigest,
    /// Snapshots in a row that did not bring us level.
    failures: u32,
    asked: Option<Instant>,
    state: State,
}

impl Sync {
    /// A peer of whose library we hold nothing.
    pub(super) fn new(nothing: LibraryDigest, said: LibraryDigest, now: Instant) -> Self {
        // The first snapshot needs no grace: nothing else is on its way.
        let state = if said == nothing { State::Even } else { State::Behind { due: now } };
        Self { held: nothing, said, failures: 0, asked: None, state }
    }

    /// When a snapshot should be asked for; `None` while level or while one is on its way.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Behind { due } => Some(due),
            State::Even | State::Fetching { .. } => None,
        }
    }

    pub(super) fn is_fetching(&self) -> bool {
        matches!(self.state, State::Fetching { .. })
    }

    /// The peer said which state it is in.
    pub(super) fn on_summary(&mut self, said: LibraryDigest, now: Instant) {
        self.said = said;
        self.settle(now);
    }

    /// The peer sent a delta; true when it is to be applied now.
    #[must_use]
    pub(super) fn on_delta(&mut self, delta: &Delta, now: Instant) -> bool {
        self.said = delta.to;
        if let State::Fetching { kept, lines, .. } = &mut self.state {
            *lines += delta.upserts.len() + delta.removals.len();
            if *lines <= KEPT_LINES_MAX {
                kept.push(delta.clone());
            }
            return false;
        }
        let next = self.held == delta.from;
        if next {
            self.held = delta.to;
        }
        self.settle(now);
        next
    }

    /// A snapshot is asked for.
    pub(super) fn on_fetch(&mut self, fetch: FetchNo, now: Instant) {
        self.asked = Some(now);
        self.state = State::Fetching { fetch, kept: Vec::new(), lines: 0 };
    }

    /// A snapshot arrived. `None` when it is not the one asked for; else the deltas to apply on top.
    #[must_use]
    pub(super) fn on_snapshot(&mut self, fetch: FetchNo, digest: LibraryDigest, now: Instant) -> Option<Vec<Delta>> {
        let mut on_top = Vec::new();
        for delta in self.end_fetch(fetch)? {
            if self.held_after(digest, &on_top) == delta.from {
                on_top.push(delta);
            }
        }
        self.held = self.held_after(digest, &on_top);
        self.failures = if self.held == self.said { 0 } else { self.failures.saturating_add(1) };
        self.settle(now);
        Some(on_top)
    }

    /// No snapshot came of it.
    pub(super) fn on_fetch_failed(&mut self, fetch: FetchNo, now: Instant) {
        if self.end_fetch(fetch).is_some() {
            self.failures = self.failures.saturating_add(1);
            self.settle(now);
        }
    }

    fn end_fetch(&mut self, fetch: FetchNo) -> Option<Vec<Delta>> {
        match &mut self.state {
            State::Fetching { fetch: asked, kept, .. } if *asked == fetch => {
                let kept = std::mem::take(kept);
                self.state = State::Even;
                Some(kept)
            }
            State::Even | State::Behind { .. } | State::Fetching { .. } => None,
        }
    }

    fn held_after(&self, snapshot: LibraryDigest, on_top: &[Delta]) -> LibraryDigest {
        on_top.last().map_or(snapshot, |delta| delta.to)
    }

    fn settle(&mut self, now: Instant) {
        match &self.state {
            State::Fetching { .. } => {}
            State::Even | State::Behind { .. } if self.held == self.said => {
                self.failures = 0;
                self.state = State::Even;
            }
            State::Even => {
                let patience = GRACE.saturating_mul(1 << self.failures.min(16)).min(RETRY_MAX);
                let soonest = self.asked.map_or(now, |asked| asked + SNAPSHOT_INTERVAL);
                self.state = State::Behind { due: soonest.max(now + patience) };
            }
            State::Behind { .. } => {}
        }
    }
}
