//! What was given to whom and not yet announced by its taker. Owned by [`super::Offer`], which
//! decides what a lapse means; this only keeps the books.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::types::{ChunkNo, PeerId};

/// The least time a taker has to announce what it was sent: several announcements, at 10 a second.
const LAPSE_MIN: Duration = Duration::from_secs(2);

/// How many times the expected time a taker has.
const LAPSE_FACTOR: u32 = 4;

/// The promises of one content.
///
/// Invariant: `by_chunk` and `by_peer` name the same pairs; `lapses` names those that have an end.
#[derive(Debug, Default)]
pub(super) struct Promises {
    /// Who was promised a chunk, and when that lapses: `None` while it is being sent.
    by_chunk: BTreeMap<ChunkNo, BTreeMap<PeerId, Option<Instant>>>,
    by_peer: BTreeMap<PeerId, BTreeSet<ChunkNo>>,
    lapses: BTreeSet<(Instant, ChunkNo, PeerId)>,
}

impl Promises {
    pub(super) fn is_empty(&self) -> bool {
        self.by_chunk.is_empty()
    }

    pub(super) fn is_promised(&self, chunk: ChunkNo) -> bool {
        self.by_chunk.contains_key(&chunk)
    }

    pub(super) fn is_promised_to(&self, chunk: ChunkNo, peer: &PeerId) -> bool {
        self.by_chunk.get(&chunk).is_some_and(|takers| takers.contains_key(peer))
    }

    pub(super) fn next_lapse(&self) -> Option<Instant> {
        self.lapses.first().map(|(at, _, _)| *at)
    }

    pub(super) fn promise(&mut self, chunk: ChunkNo, peer: PeerId) {
        if let Some(Some(at)) = self.by_chunk.entry(chunk).or_default().insert(peer, None) {
            self.lapses.remove(&(at, chunk, peer));
        }
        self.by_peer.entry(peer).or_default().insert(chunk);
    }

    /// The link has taken it: the clock starts.
    pub(super) fn on_sent(&mut self, chunk: ChunkNo, peer: &PeerId, now: Instant, expected: Duration) {
        let Some(taker) = self.by_chunk.get_mut(&chunk).and_then(|takers| takers.get_mut(peer)) else { return };
        let at = now + (expected * LAPSE_FACTOR).max(LAPSE_MIN);
        if let Some(before) = taker.replace(at) {
            self.lapses.remove(&(before, chunk, *peer));
        }
        self.lapses.insert((at, chunk, *peer));
    }

    /// Kept: the taker has them.
    pub(super) fn on_announced(&mut self, peer: &PeerId, chunks: &[ChunkNo]) {
        for chunk in chunks {
            self.take_back(*chunk, peer);
        }
    }

    /// Forgets one; false when there was none.
    pub(super) fn take_back(&mut self, chunk: ChunkNo, peer: &PeerId) -> bool {
        let Some(takers) = self.by_chunk.get_mut(&chunk) else { return false };
        let Some(lapse) = takers.remove(peer) else { return false };
        if takers.is_empty() {
            self.by_chunk.remove(&chunk);
        }
        if let Some(at) = lapse {
            self.lapses.remove(&(at, chunk, *peer));
        }
        if let Some(mine) = self.by_peer.get_mut(peer) {
            mine.remove(&chunk);
            if mine.is_empty() {
                self.by_peer.remove(peer);
            }
        }
        true
    }

    /// All that was promised to a peer, now to nobody.
    pub(super) fn on_peer_gone(&mut self, peer: &PeerId) -> Vec<ChunkNo> {
        let mine: Vec<ChunkNo> = self.by_peer.get(peer).into_iter().flatten().copied().collect();
        for chunk in &mine {
            self.take_back(*chunk, peer);
        }
        mine
    }

    /// The next promise that was not kept in time.
    pub(super) fn pop_lapsed(&mut self, now: Instant) -> Option<ChunkNo> {
        let (_, chunk, peer) = self.lapses.first().copied().filter(|(at, _, _)| *at <= now)?;
        self.take_back(chunk, &peer);
        Some(chunk)
    }
}
