//! The server's choice: which chunk of one content a getter is sent next, and who is sent to at the same
//! time. Driven by `runtime/serving`, which owns the streams, the disk and the limits.
//!
//! A getter names what it wants in its order of preference; we send what we have given least often,
//! so that the room's first copies are all different and seats can feed each other. What was given and has
//! not arrived counts as given: two getters are never sent the same while we have something that was never
//! given. Only a few requests are served at a time ([`slots`]), those of the peers that were not served for
//! longest: one that has a whole chunk passes it on, twenty that have a twentieth of one each cannot. It
//! does not read chunks, and does not know what other servers give.

mod slots;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Instant,
};

use self::slots::Slots;
use crate::types::{CHUNK_BYTES, ChunkNo, ChunkRanges, ChunkSet, PeerId};

/// Requests one peer may have waiting for one content: as many as a link has streams.
pub const REQUESTS_PER_PEER_MAX: usize = 64;

/// Requests waiting for one content; more are refused as busy, which makes getters ask each other.
pub const REQUESTS_MAX: usize = 1_024;

/// How many chunks of a request are looked at for the least given one when no first copy is left.
/// Beyond that many the choice hardly gets better, and it bounds what a request can cost.
const LOOK_MAX: usize = 256;

/// Requests of a peer that are looked through for what is on its way to it already. A getter has no more under
/// way at once; one that has would be sent a chunk twice, to its own loss.
const COMING_LOOK_MAX: usize = 8;

/// Bytes of one [`Output::Send`]: one whole chunk, or as many small ones.
const SEND_BYTES: u32 = CHUNK_BYTES;

/// A request as the driver numbers it: unique within this offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestNo(pub u64);

/// What happened, as the driver tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A peer asks for `take` chunks out of `of`.
    Request {
        /// Its number.
        request: RequestNo,
        /// Who asks.
        peer: PeerId,
        /// In the getter's order of preference.
        of: ChunkRanges,
        /// How many; zero is answered with nothing.
        take: u32,
    },
    /// The chunks of the last [`Output::Send`] of this request were handed to the link.
    Sent {
        /// The request.
        request: RequestNo,
    },
    /// The taker's machine has acknowledged all that was sent for this request. Comes after
    /// [`Output::End`], or [`Input::Dropped`] does.
    Taken {
        /// The request.
        request: RequestNo,
    },
    /// The request is over before its time: the stream was reset, or reading failed. What it was given
    /// counts as not given.
    Dropped {
        /// The request.
        request: RequestNo,
    },
    /// All links to a peer are gone. Must come for every peer that ever asked: only then it is forgotten.
    PeerGone {
        /// Who.
        peer: PeerId,
    },
    /// What we can serve now.
    HaveChanged {
        /// The whole set.
        have: ChunkSet,
    },
    /// One more chunk that we can serve.
    Have {
        /// The chunk.
        chunk: ChunkNo,
    },
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Read and send these, in this order, then say [`Input::Sent`]. One at a time a peer.
    Send {
        /// The request.
        request: RequestNo,
        /// Never empty; together at most 1 MiB.
        chunks: Vec<ChunkNo>,
    },
    /// Nothing more will be sent: end the stream, and say [`Input::Taken`] if something was sent.
    End {
        /// The request.
        request: RequestNo,
    },
    /// Too many requests wait: reset the stream with `busy`.
    Refuse {
        /// The request.
        request: RequestNo,
    },
}

/// The choosing of one content.
///
/// Invariant: a request that is not ending is in exactly one peer's line; at most one request a peer is being
/// handed over; `fresh` holds exactly what we have and never gave.
#[derive(Debug)]
pub struct Offer {
    lens: Arc<[u32]>,
    have: ChunkSet,
    /// How often each chunk was given; one that did not arrive takes its count back.
    given: Vec<u16>,
    fresh: ChunkSet,
    requests: BTreeMap<RequestNo, Request>,
    peers: BTreeMap<PeerId, Peer>,
    /// Peers whose first request waits to be served, longest unserved first, else in an order that is
    /// another one at each server: or all would serve the same peer first.
    idle: BTreeMap<Place, PeerId>,
    seed: u64,
    slots: Slots,
    /// Counts servings, for the order of `idle`.
    turn: u64,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Request {
    peer: PeerId,
    of: ChunkRanges,
    left: u32,
    /// Given in answer to it: nothing goes twice.
    given: Vec<ChunkNo>,
    /// The last ones are being handed to the link.
    sending: bool,
    /// [`Output::End`] was said: only acknowledgements are to come.
    ending: bool,
}

/// When a peer was served last, and its rank among equals.
type Place = (u64, u64);

#[derive(Debug)]
struct Peer {
    /// The first may be being served.
    line: VecDeque<RequestNo>,
    ending: BTreeSet<RequestNo>,
    place: Place,
}

impl Offer {
    /// `lens` are the bytes of each chunk of the content, `have` what we can serve, `seed` any number
    /// that other servers do not have.
    #[must_use]
    pub fn new(lens: Arc<[u32]>, have: ChunkSet, seed: u64) -> Self {
        let fresh = have.clone();
        let given = vec![0; lens.len()];
        Self {
            lens,
            have,
            given,
            fresh,
            requests: BTreeMap::new(),
            peers: BTreeMap::new(),
            idle: BTreeMap::new(),
            seed,
            slots: Slots::default(),
            turn: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened. Drain [`Self::poll_output`], then see [`Self::poll_timeout`].
    pub fn handle_input(&mut self, input: Input, now: Instant) {
        match input {
            Input::Request { request, peer, of, take } => self.on_request(request, peer, of, take),
            Input::Sent { request } => self.on_sent(request, now),
            Input::Taken { request } => self.on_taken(request, now),
            Input::Dropped { request } => self.on_dropped(request),
            Input::PeerGone { peer } => self.on_peer_gone(&peer),
            Input::HaveChanged { have } => self.on_have_changed(have),
            Input::Have { chunk } => self.on_have(chunk),
        }
        self.serve(now);
        self.assert_invariants();
    }

    /// Serves the next in line when somebody is slow.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.slots.handle_timeout(now);
        self.serve(now);
        self.assert_invariants();
    }

    /// When to call [`Self::handle_timeout`]; ask again after each input.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let slot = self.slots.next_timeout().filter(|_| !self.idle.is_empty());
        slot.map(|at| (at, "a slow taker no longer counts"))
    }

    /// What to do next; call until `None` after each input and timeout.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether nobody asks and everything given has arrived: the offer may be forgotten.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.requests.is_empty()
    }

    /// Requests waiting, being sent, or not acknowledged.
    #[must_use]
    pub fn request_count(&self) -> usize {
        self.requests.len()
    }

    fn on_request(&mut self, request: RequestNo, peer: PeerId, of: ChunkRanges, take: u32) {
        let rank = rank(self.seed, &peer);
        let known = self.peers.entry(peer).or_insert_with(|| Peer {
            line: VecDeque::new(),
            ending: BTreeSet::new(),
            place: (0, rank),
        });
        let mine = known.line.len() + known.ending.len();
        if mine >= REQUESTS_PER_PEER_MAX || self.requests.len() >= REQUESTS_MAX {
            self.outputs.push_back(Output::Refuse { request });
            return;
        }
        known.line.push_back(request);
        if known.line.len() == 1 {
            self.idle.insert(known.place, peer);
        }
        let known = Request { peer, of, left: take, given: Vec::new(), sending: false, ending: false };
        self.requests.insert(request, known);
    }

    fn on_sent(&mut self, request: RequestNo, now: Instant) {
        let Some(known) = self.requests.get_mut(&request) else { return };
        if !std::mem::replace(&mut known.sending, false) {
            return;
        }
        // It has its slot: it goes on as long as there is something for it.
        let chunks = self.choose(request);
        if chunks.is_empty() {
            self.end(request);
        } else {
            self.give(request, chunks, now);
        }
    }

    fn on_taken(&mut self, request: RequestNo, now: Instant) {
        if self.requests.get(&request).is_some_and(|known| known.ending) {
            self.slots.on_taken(request, now);
            self.forget(request);
        }
    }

    fn on_dropped(&mut self, request: RequestNo) {
        for chunk in self.forget(request) {
            self.take_back(chunk);
        }
    }

    fn on_peer_gone(&mut self, peer: &PeerId) {
        let Some(known) = self.peers.get(peer) else { return };
        for request in known.line.iter().chain(&known.ending).copied().collect::<Vec<_>>() {
            self.on_dropped(request);
        }
        if let Some(known) = self.peers.remove(peer) {
            self.idle.remove(&known.place);
        }
    }

    fn on_have_changed(&mut self, have: ChunkSet) {
        if have.chunk_count() as usize != self.lens.len() {
            return;
        }
        self.have = have;
        let mut fresh = self.have.clone();
        for chunk in self.have.iter() {
            if self.given[chunk.index()] != 0 {
                fresh.remove(chunk);
            }
        }
        self.fresh = fresh;
    }

    fn on_have(&mut self, chunk: ChunkNo) {
        if self.have.insert(chunk) {
            self.restock(chunk);
        }
    }

    /// A copy that was given turned out not to exist.
    fn take_back(&mut self, chunk: ChunkNo) {
        let given = &mut self.given[chunk.index()];
        *given = given.saturating_sub(1);
        self.restock(chunk);
    }

    fn restock(&mut self, chunk: ChunkNo) {
        if self.given[chunk.index()] == 0 && self.have.contains(chunk) {
            self.fresh.insert(chunk);
        }
    }

    /// Serves those who wait, in their order, as far as there are slots.
    fn serve(&mut self, now: Instant) {
        while self.slots.is_free()
            && let Some(peer) = self.idle.values().next()
        {
            let Some(&request) = self.peers.get(peer).and_then(|known| known.line.front()) else { return };
            let chunks = self.choose(request);
            if chunks.is_empty() {
                // The next of its line is looked at in its place.
                self.end(request);
            } else {
                self.give(request, chunks, now);
            }
        }
    }

    fn give(&mut self, request: RequestNo, chunks: Vec<ChunkNo>, now: Instant) {
        let Some(known) = self.requests.get_mut(&request) else { return };
        let peer = known.peer;
        known.left -= chunks.len() as u32;
        known.given.extend(&chunks);
        known.sending = true;
        for chunk in &chunks {
            self.fresh.remove(*chunk);
            let given = &mut self.given[chunk.index()];
            *given = given.saturating_add(1);
        }
        self.slots.on_given(request, now);
        self.turn += 1;
        if let Some(peer_known) = self.peers.get_mut(&peer) {
            self.idle.remove(&peer_known.place);
            peer_known.place.0 = self.turn;
        }
        self.outputs.push_back(Output::Send { request, chunks });
    }

    /// What a request is given next; nothing when we hold nothing of it that is not on its way to its peer.
    fn choose(&self, request: RequestNo) -> Vec<ChunkNo> {
        let known = &self.requests[&request];
        let first = self.first_copies(known);
        if first.is_empty() { self.further_copies(known) } else { first }
    }

    /// In the getter's order: what nobody was given yet.
    fn first_copies(&self, request: &Request) -> Vec<ChunkNo> {
        let mut chosen = Batch::new(&self.lens, request.left);
        if self.fresh.is_empty() {
            return chosen.chunks;
        }
        for range in request.of.as_slice() {
            let mut from = range.start();
            while let Some(chunk) = first_in(&self.fresh, from, range.end()) {
                if !chosen.push(chunk) {
                    return chosen.chunks;
                }
                from = chunk.0 + 1;
            }
        }
        chosen.chunks
    }

    /// The least given of what is not on its way to the same peer; the getter's order decides between equals.
    fn further_copies(&self, request: &Request) -> Vec<ChunkNo> {
        let mut chosen = Batch::new(&self.lens, request.left);
        let Some(peer) = self.peers.get(&request.peer) else { return chosen.chunks };
        let open = peer.ending.iter().chain(&peer.line).filter_map(|other| self.requests.get(other));
        let open = open.take(COMING_LOOK_MAX).chain([request]);
        let coming: Vec<ChunkNo> = open.flat_map(|other| &other.given).copied().collect();
        let candidates = request.of.iter().take(LOOK_MAX);
        let candidates = candidates.filter(|chunk| self.have.contains(*chunk) && !coming.contains(chunk));
        let given = |chunk: &ChunkNo| self.given[chunk.index()];
        let mut candidates = candidates.peekable();
        if candidates.peek().is_some_and(|first| self.lens[first.index()] > SEND_BYTES / 2) {
            if let Some(best) = candidates.min_by_key(given) {
                chosen.push(best);
            }
            return chosen.chunks;
        }
        let mut candidates: Vec<ChunkNo> = candidates.collect();
        candidates.sort_by_key(given);
        for chunk in candidates {
            if !chosen.push(chunk) {
                break;
            }
        }
        chosen.chunks
    }

    fn end(&mut self, request: RequestNo) {
        self.outputs.push_back(Output::End { request });
        let Some(known) = self.requests.get_mut(&request) else { return };
        if known.given.is_empty() {
            self.forget(request);
            return;
        }
        known.ending = true;
        let id = known.peer;
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.ending.insert(request);
        }
        self.leave_line(request, id);
    }

    fn leave_line(&mut self, request: RequestNo, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.line.retain(|other| *other != request);
        let busy = peer.line.front().is_none_or(|first| self.requests.get(first).is_none_or(|known| known.sending));
        if busy {
            self.idle.remove(&peer.place);
        } else {
            self.idle.insert(peer.place, id);
        }
    }

    /// What it was given.
    fn forget(&mut self, request: RequestNo) -> Vec<ChunkNo> {
        let Some(known) = self.requests.remove(&request) else { return Vec::new() };
        self.slots.free(request);
        if let Some(peer) = self.peers.get_mut(&known.peer) {
            peer.ending.remove(&request);
        }
        self.leave_line(request, known.peer);
        known.given
    }

    fn assert_invariants(&self) {
        if cfg!(debug_assertions) {
            let lines: usize = self.peers.values().map(|peer| peer.line.len() + peer.ending.len()).sum();
            assert_eq!(lines, self.requests.len());
            for (id, peer) in &self.peers {
                let sending = peer.line.iter().filter(|request| self.requests[request].sending).count();
                assert!(sending <= 1, "two at a time to {id:?}");
                assert_eq!(self.idle.contains_key(&peer.place), sending == 0 && !peer.line.is_empty());
            }
            for chunk in self.fresh.iter() {
                assert!(self.have.contains(chunk) && self.given[chunk.index()] == 0);
            }
        }
    }
}

/// A shuffled place among those that were never served; half of all numbers, so that there is a next one.
fn rank(seed: u64, peer: &PeerId) -> u64 {
    let mut hash = seed;
    for part in peer.as_bytes().chunks_exact(8) {
        let mut word = [0; 8];
        word.copy_from_slice(part);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
    }
    hash / 2
}

/// The first chunk of `set` in `start..end`, 64 at a look.
fn first_in(set: &ChunkSet, start: u32, end: u32) -> Option<ChunkNo> {
    let end = end.min(set.chunk_count());
    let mut at = start;
    while at < end {
        let word = set.word(at as usize / 64) >> (at % 64);
        if word != 0 {
            let found = at + word.trailing_zeros();
            return (found < end).then_some(ChunkNo(found));
        }
        at = (at / 64 + 1) * 64;
    }
    None
}

/// Chunks that go out together.
struct Batch<'a> {
    lens: &'a [u32],
    chunks: Vec<ChunkNo>,
    bytes: u32,
    left: u32,
}

impl<'a> Batch<'a> {
    fn new(lens: &'a [u32], left: u32) -> Self {
        Self { lens, chunks: Vec::new(), bytes: 0, left }
    }

    /// False when `chunk` did not fit any more.
    fn push(&mut self, chunk: ChunkNo) -> bool {
        let len = self.lens[chunk.index()];
        if self.left == 0 || (!self.chunks.is_empty() && self.bytes + len > SEND_BYTES) {
            return false;
        }
        self.chunks.push(chunk);
        self.bytes += len;
        self.left -= 1;
        true
    }
}

#[cfg(test)]
mod tests;
