//! The server's choice: which chunk of one content a getter is sent next. Driven by
//! `runtime/serving`, which owns the streams, the disk and the limits.
//!
//! A getter names what it wants in its order of preference; we send what we have given least often,
//! so that the room's first copies are all different and seats can feed each other. A chunk that was
//! sent is *promised* to its taker until the taker says it has it; what is promised to different
//! getters is disjoint. It does not read chunks, and does not know what other servers give.

mod promises;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use self::promises::Promises;
use crate::types::{CHUNK_BYTES, ChunkNo, ChunkRange, ChunkRanges, ChunkSet, PeerId};

/// Requests one peer may have waiting for one content: as many as a link has streams.
pub const REQUESTS_PER_PEER_MAX: usize = 64;

/// Requests waiting for one content; more are refused as busy, which makes getters ask each other.
pub const REQUESTS_MAX: usize = 1_024;

/// How long a request that could only get second copies waits for those that get first copies.
/// Half of the least deadline of a request would be 2.5 s; well below, so that nobody times out.
const SECOND_COPY_WAIT: Duration = Duration::from_secs(1);

/// How many chunks of a request are looked at for the least given one when no first copy is left.
/// Beyond that many the choice hardly gets better, and it bounds what a request can cost.
const LOOK_MAX: usize = 1_024;

/// Requests looked at to find one that waits for a first copy; bounds a decision in a full room.
const RIVALS_LOOK_MAX: usize = 16;

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
    /// The request is over before its time: the stream was reset, or reading failed.
    Dropped {
        /// The request.
        request: RequestNo,
    },
    /// A peer says it has these now.
    Announced {
        /// Who.
        peer: PeerId,
        /// Among them what it was given.
        chunks: Vec<ChunkNo>,
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
    /// Nothing more will be sent: end the stream.
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
/// Invariant: a request is in exactly one peer's line; at most one request a peer is being sent;
/// `fresh` holds exactly what we have, never gave and have promised to nobody.
#[derive(Debug)]
pub struct Offer {
    lens: Arc<[u32]>,
    have: ChunkSet,
    /// How often each chunk was given; a lapsed promise takes its count back.
    given: Vec<u16>,
    fresh: ChunkSet,
    promises: Promises,
    requests: BTreeMap<RequestNo, Request>,
    peers: BTreeMap<PeerId, Peer>,
    /// Peers with a waiting request and none being sent, longest unserved first.
    idle: BTreeSet<(u64, PeerId)>,
    /// Counts servings, for the order of `idle`.
    turn: u64,
    /// When a waiting request may be looked at again although nothing happened.
    retry_at: Option<Instant>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Request {
    peer: PeerId,
    of: ChunkRanges,
    left: u32,
    arrived: Instant,
    /// Given in answer to it: nothing goes twice.
    given: BTreeSet<ChunkNo>,
    sending: Option<Sending>,
}

#[derive(Debug)]
struct Sending {
    chunks: Vec<ChunkNo>,
    since: Instant,
}

#[derive(Debug, Default)]
struct Peer {
    line: VecDeque<RequestNo>,
    turn: u64,
    /// Bytes a second lately, 0 while unknown.
    rate_bps: f64,
}

/// What the front request of a peer can be given now.
enum Choice {
    First(Vec<ChunkNo>),
    Second(Vec<ChunkNo>),
    /// All it may have is promised to others.
    Wait,
    /// We hold nothing of it that is not on its way to this peer already.
    Nothing,
}

impl Offer {
    /// `lens` are the bytes of each chunk of the content, `have` what we can serve.
    #[must_use]
    pub fn new(lens: Arc<[u32]>, have: ChunkSet) -> Self {
        let fresh = have.clone();
        let given = vec![0; lens.len()];
        Self {
            lens,
            have,
            given,
            fresh,
            promises: Promises::default(),
            requests: BTreeMap::new(),
            peers: BTreeMap::new(),
            idle: BTreeSet::new(),
            turn: 0,
            retry_at: None,
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened. Drain [`Self::poll_output`], then see [`Self::poll_timeout`].
    pub fn handle_input(&mut self, input: Input, now: Instant) {
        match input {
            Input::Request { request, peer, of, take } => self.on_request(request, peer, of, take, now),
            Input::Sent { request } => self.on_sent(request, now),
            Input::Dropped { request } => self.on_dropped(request),
            Input::Announced { peer, chunks } => self.promises.on_announced(&peer, &chunks),
            Input::PeerGone { peer } => self.on_peer_gone(&peer),
            Input::HaveChanged { have } => self.on_have_changed(have),
            Input::Have { chunk } => self.on_have(chunk),
        }
        self.lapse(now);
        self.serve(now);
        self.assert_invariants();
    }

    /// Lets promises lapse and looks again at requests that waited.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.lapse(now);
        self.serve(now);
        self.assert_invariants();
    }

    /// When to call [`Self::handle_timeout`]; ask again after each input.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let lapse = self.promises.next_lapse().map(|at| (at, "a promise lapses"));
        let retry = self.retry_at.map(|at| (at, "a second copy may go"));
        [lapse, retry].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// What to do next; call until `None` after each input and timeout.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether nobody asks and nothing is promised: the offer may be forgotten.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.promises.is_empty()
    }

    /// Requests waiting or being sent.
    #[must_use]
    pub fn request_count(&self) -> usize {
        self.requests.len()
    }

    fn on_request(&mut self, request: RequestNo, peer: PeerId, of: ChunkRanges, take: u32, now: Instant) {
        let turn = self.turn;
        let line_len = self.peers.get(&peer).map_or(0, |known| known.line.len());
        if self.requests.len() >= REQUESTS_MAX || line_len >= REQUESTS_PER_PEER_MAX {
            self.outputs.push_back(Output::Refuse { request });
            return;
        }
        let known = self.peers.entry(peer).or_insert_with(|| Peer { turn, ..Peer::default() });
        known.line.push_back(request);
        if known.line.len() == 1 {
            self.idle.insert((known.turn, peer));
        }
        self.requests
            .insert(request, Request { peer, of, left: take, arrived: now, given: BTreeSet::new(), sending: None });
    }

    fn on_sent(&mut self, request: RequestNo, now: Instant) {
        let Some(known) = self.requests.get_mut(&request) else { return };
        let Some(sending) = known.sending.take() else { return };
        let (peer_id, left) = (known.peer, known.left);
        let bytes: u64 = sending.chunks.iter().map(|chunk| u64::from(self.lens[chunk.index()])).sum();
        let took = now.saturating_duration_since(sending.since).as_secs_f64().max(1e-4);
        let Some(peer) = self.peers.get_mut(&peer_id) else { return };
        let rate = bytes as f64 / took;
        peer.rate_bps = if peer.rate_bps == 0.0 { rate } else { 0.8 * peer.rate_bps + 0.2 * rate };
        // From now on the taker has that long to say it has them.
        let expected = Duration::from_secs_f64((bytes as f64 / peer.rate_bps).min(3_600.0));
        for chunk in &sending.chunks {
            self.promises.on_sent(*chunk, &peer_id, now, expected);
        }
        if left == 0 {
            self.end(request);
        } else {
            self.requeue(peer_id);
        }
    }

    fn on_dropped(&mut self, request: RequestNo) {
        if let Some(sending) = self.requests.get_mut(&request).and_then(|known| known.sending.take()) {
            let peer = self.requests[&request].peer;
            for chunk in sending.chunks {
                self.take_back(chunk, &peer);
            }
        }
        self.forget(request);
    }

    fn on_peer_gone(&mut self, peer: &PeerId) {
        let Some(known) = self.peers.remove(peer) else { return };
        self.idle.remove(&(known.turn, *peer));
        for request in known.line {
            self.requests.remove(&request);
        }
        for chunk in self.promises.on_peer_gone(peer) {
            self.on_lapsed(chunk);
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
        if self.have.insert(chunk) && self.given[chunk.index()] == 0 {
            self.fresh.insert(chunk);
        }
    }

    fn lapse(&mut self, now: Instant) {
        while let Some(chunk) = self.promises.pop_lapsed(now) {
            self.on_lapsed(chunk);
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
        }
    }

    /// A copy that was given turned out not to exist.
    fn on_lapsed(&mut self, chunk: ChunkNo) {
        let given = &mut self.given[chunk.index()];
        *given = given.saturating_sub(1);
        if *given == 0 && self.have.contains(chunk) {
            self.fresh.insert(chunk);
        }
    }

    fn take_back(&mut self, chunk: ChunkNo, peer: &PeerId) {
        if self.promises.take_back(chunk, peer) {
            self.on_lapsed(chunk);
        }
    }

    /// Gives every peer that waits one thing to receive, the longest unserved first.
    fn serve(&mut self, now: Instant) {
        let waiting: Vec<(u64, PeerId)> = self.idle.iter().copied().collect();
        for (turn, peer) in waiting {
            // Requests that get nothing end at once, and the next in line is looked at.
            while let Some(&request) = self.peers.get(&peer).and_then(|known| known.line.front()) {
                if self.requests[&request].left == 0 {
                    self.end(request);
                    continue;
                }
                match self.choose(request, now) {
                    Choice::First(chunks) | Choice::Second(chunks) => {
                        self.idle.remove(&(turn, peer));
                        self.give(request, chunks, now);
                        break;
                    }
                    Choice::Wait => break,
                    Choice::Nothing => self.end(request),
                }
            }
        }
    }

    fn give(&mut self, request: RequestNo, chunks: Vec<ChunkNo>, now: Instant) {
        let Some(known) = self.requests.get_mut(&request) else { return };
        known.left -= chunks.len() as u32;
        known.given.extend(chunks.iter().copied());
        known.sending = Some(Sending { chunks: chunks.clone(), since: now });
        for chunk in &chunks {
            self.fresh.remove(*chunk);
            let given = &mut self.given[chunk.index()];
            *given = given.saturating_add(1);
            self.promises.promise(*chunk, known.peer);
        }
        self.turn += 1;
        if let Some(peer) = self.peers.get_mut(&known.peer) {
            peer.turn = self.turn;
        }
        self.outputs.push_back(Output::Send { request, chunks });
    }

    fn choose(&mut self, request: RequestNo, now: Instant) -> Choice {
        let known = &self.requests[&request];
        let first = self.first_copies(known);
        if !first.is_empty() {
            return Choice::First(first);
        }
        let patient = now.saturating_duration_since(known.arrived) < SECOND_COPY_WAIT;
        let until = known.arrived + SECOND_COPY_WAIT;
        let (seconds, promised_elsewhere) = self.second_copies(known, patient);
        if !(seconds.is_empty() || patient && self.first_copy_waits(&known.peer)) {
            return Choice::Second(seconds);
        }
        if seconds.is_empty() && !promised_elsewhere {
            return Choice::Nothing;
        }
        self.retry_at = Some(self.retry_at.map_or(until, |at| at.min(until)));
        Choice::Wait
    }

    /// In the getter's order: what nobody was given yet.
    fn first_copies(&self, request: &Request) -> Vec<ChunkNo> {
        let mut chosen = Batch::new(&self.lens, request.left);
        for range in request.of.as_slice() {
            let mut from = range.start();
            while let Some(chunk) = first_in(&self.fresh, from, range.end()) {
                if !request.given.contains(&chunk) && !chosen.push(chunk) {
                    return chosen.chunks;
                }
                from = chunk.0 + 1;
            }
        }
        chosen.chunks
    }

    /// The least given of what is promised to nobody, or, for one that waited long enough, of what
    /// is not promised to itself; and whether something was left out for a promise to somebody else.
    fn second_copies(&self, request: &Request, patient: bool) -> (Vec<ChunkNo>, bool) {
        let mut candidates = Vec::new();
        let mut promised_elsewhere = false;
        for chunk in request.of.iter().take(LOOK_MAX) {
            let coming = self.promises.is_promised_to(chunk, &request.peer) || request.given.contains(&chunk);
            if coming || !self.have.contains(chunk) {
                continue;
            }
            if patient && self.promises.is_promised(chunk) {
                promised_elsewhere = true;
                continue;
            }
            candidates.push((self.given[chunk.index()], chunk));
        }
        // Stable: the getter's order decides between equals.
        candidates.sort_by_key(|(given, _)| *given);
        let mut chosen = Batch::new(&self.lens, request.left);
        for (_, chunk) in candidates {
            if !chosen.push(chunk) {
                break;
            }
        }
        (chosen.chunks, promised_elsewhere)
    }

    /// Whether somebody else waits in line for a chunk that nobody was given yet.
    fn first_copy_waits(&self, besides: &PeerId) -> bool {
        if self.fresh.is_empty() {
            return false;
        }
        let rivals = self.peers.iter().filter(|(peer, _)| *peer != besides);
        let waiting =
            rivals.filter_map(|(_, known)| known.line.iter().find(|request| self.requests[request].sending.is_none()));
        waiting.take(RIVALS_LOOK_MAX).any(|request| {
            let ranges = self.requests[request].of.as_slice();
            ranges.iter().any(|range: &ChunkRange| first_in(&self.fresh, range.start(), range.end()).is_some())
        })
    }

    fn requeue(&mut self, peer: PeerId) {
        if let Some(known) = self.peers.get(&peer)
            && !known.line.is_empty()
        {
            self.idle.insert((known.turn, peer));
        }
    }

    fn end(&mut self, request: RequestNo) {
        self.outputs.push_back(Output::End { request });
        self.forget(request);
    }

    fn forget(&mut self, request: RequestNo) {
        let Some(known) = self.requests.remove(&request) else { return };
        let Some(peer) = self.peers.get_mut(&known.peer) else { return };
        peer.line.retain(|other| *other != request);
        let busy = peer.line.iter().any(|other| self.requests[other].sending.is_some());
        if peer.line.is_empty() || busy {
            self.idle.remove(&(peer.turn, known.peer));
        } else {
            self.idle.insert((peer.turn, known.peer));
        }
    }

    fn assert_invariants(&self) {
        if cfg!(debug_assertions) {
            let lines: usize = self.peers.values().map(|peer| peer.line.len()).sum();
            assert_eq!(lines, self.requests.len());
            for (id, peer) in &self.peers {
                let sending = peer.line.iter().filter(|request| self.requests[request].sending.is_some()).count();
                assert!(sending <= 1, "two at a time to {id:?}");
                assert_eq!(self.idle.contains(&(peer.turn, *id)), sending == 0 && !peer.line.is_empty());
            }
            for chunk in self.fresh.iter() {
                assert!(self.have.contains(chunk) && self.given[chunk.index()] == 0);
                assert!(!self.promises.is_promised(chunk), "{chunk} is fresh and promised");
            }
        }
    }
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
