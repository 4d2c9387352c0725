//! One transfer of one content: which source is asked for what, and when a chunk is ours. Driven by
//! `runtime/transfers`, which owns the links, the streams, the hashing and the disk.
//!
//! The *server* chooses which of the offered chunks it sends, so a chunk becomes in flight when the
//! server names it; how two servers are kept from naming the same one stands in [`picker`]. It does
//! not queue transfers (`core/queue`), commit files (`core/install`) or look for sources.

mod asking;
mod near;
mod picker;
mod pieces;
mod sources;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Range,
    time::{Duration, Instant},
};

pub use words::{Input, Output, Plan, RequestEnd, RequestNo, SourceView, State, Wait};

use self::{
    near::Near,
    picker::Picker,
    pieces::{At, COPIES_MAX, Copy, Pieces},
    sources::{Map, STRIKES_MAX, SourceNo, Sources},
};
use crate::types::{ChunkNo, ChunkRanges, ChunkSet, PeerId};

/// Sources asked at the same time. Each has a line of others: more lines mean more requests that are stale
/// when their turn comes, fewer mean that free servers are not found (simulated: 8 take half as long again
/// in a room of 100, 12 to 32 hardly differ).
pub const ACTIVE_MAX: usize = 16;
/// Have-maps followed at the same time.
pub const SUBSCRIPTIONS_MAX: usize = 64;
/// Of these, at most this many of one kind while the other kind waits: a room full of getters must
/// not hide the one seeder, nor the seeders the fresh partial sources.
const SUBSCRIPTIONS_OF_KIND: usize = SUBSCRIPTIONS_MAX / 2;
/// Sources remembered for one transfer: more than links a runtime has.
const SOURCES_MAX: usize = 512;
/// Least deadline between two chunks of a request.
const DEADLINE_MIN: Duration = Duration::from_secs(5);
/// How many times the expected time a source has.
const DEADLINE_FACTOR: u32 = 4;
/// A doubly named chunk is cancelled only when that saves more than the new request costs.
const CANCEL_BYTES_MIN: u32 = 64 << 10;
/// How often idle sources are looked at for the endgame and for a better use of their subscription.
const TICK: Duration = Duration::from_millis(250);
/// Far sources and those of small files that had nothing for us for so long are asked all the same.
const OVERLAP_AFTER: Duration = Duration::from_secs(3);
/// A subscribed source that gave nothing for so long makes room for one that waits.
const ROTATE_AFTER: Duration = Duration::from_secs(5);

const BACK_OFF_TIMED_OUT: Duration = Duration::from_secs(1);
const BACK_OFF_BUSY: Duration = Duration::from_millis(250);
const BACK_OFF_NOTHING: Duration = Duration::from_millis(100);
const BACK_OFF_CHANGED: Duration = Duration::from_secs(1);
const BACK_OFF_GONE: Duration = Duration::from_secs(5);
const BACK_OFF_LINK: Duration = Duration::from_millis(500);

/// The transfer.
///
/// Invariant: a chunk is in exactly one of Have, InFlight, Wanted, Unwanted; each request belongs to a
/// known source; `timers` names each request's deadline once.
#[derive(Debug)]
pub struct Download {
    pieces: Pieces,
    picker: Picker,
    sources: Sources,
    requests: BTreeMap<RequestNo, Request>,
    next_request: u64,
    timers: BTreeSet<(Instant, Timer)>,
    /// Sources that may have room in their window and something to give: looked at before the input ends.
    look_at: BTreeSet<SourceNo>,
    /// Sources with room and nothing to ask for, until more is wanted or time passes.
    starved: BTreeSet<SourceNo>,
    /// Sources that wait until fewer are asked, or until less is outstanding.
    queued: BTreeSet<SourceNo>,
    /// Sources with requests.
    active: usize,
    /// Some source is not followed and might be.
    unsubscribed: bool,
    /// Whom to follow is to be decided anew.
    follow_again: bool,
    tick_at: Option<Instant>,
    outstanding: u64,
    near: Near,
    in_flight_max: u64,
    paused: bool,
    disk_full: bool,
    state: State,
    wasted_bytes: u64,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Request {
    source: SourceNo,
    of: ChunkRanges,
    take: u32,
    left: u32,
    /// Bytes still expected, about.
    bytes: u64,
    named: Vec<ChunkNo>,
    /// What may still be named, until all was.
    candidates: Vec<ChunkNo>,
    /// Other sources are kept from these.
    claimed: bool,
    asked: Instant,
    deadline: Instant,
    /// A second copy of something on its way elsewhere.
    second: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Request(RequestNo),
    Source(SourceNo),
}

impl Download {
    /// A transfer without sources.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let sources = Sources::new(plan.seed, plan.chunk_lens.len() as u32);
        let pieces = Pieces::new(plan.chunk_lens, plan.have, plan.wanted);
        let picker = Picker::new(pieces.wanted());
        let near = Near::new(plan.me, pieces.chunk_count());
        let state = if pieces.is_done() { State::Done } else { State::Waiting(Wait::NoSource) };
        Self {
            pieces,
            picker,
            sources,
            requests: BTreeMap::new(),
            next_request: 0,
            timers: BTreeSet::new(),
            look_at: BTreeSet::new(),
            starved: BTreeSet::new(),
            queued: BTreeSet::new(),
            active: 0,
            unsubscribed: false,
            follow_again: false,
            tick_at: None,
            outstanding: 0,
            near,
            in_flight_max: plan.in_flight_max,
            paused: false,
            disk_full: false,
            state,
            wasted_bytes: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened. Drain [`Self::poll_output`], then see [`Self::poll_timeout`].
    pub fn handle_input(&mut self, input: Input, now: Instant) {
        match input {
            Input::SourceUp { peer, complete, round_trip } => self.on_source_up(peer, complete, round_trip, now),
            Input::SourceDown { peer } => self.on_source_down(&peer, now),
            Input::HaveMap { peer, have } => self.on_have_map(&peer, have, now),
            Input::HaveDelta { peer, set, clear } => self.on_have_delta(&peer, &set, &clear, now),
            Input::HaveEnded { peer } => self.on_have_ended(&peer, now),
            Input::ChunkNamed { request, chunk } => self.on_named(request, chunk, now),
            Input::ChunkArrived { request, chunk } => self.on_arrived(request, chunk, now),
            Input::ChunkVerified { request, chunk } => self.on_verified(request, chunk, now),
            Input::ChunkBad { request, chunk } => self.on_bad(request, chunk, now),
            Input::ChunkUnwritten { request, chunk } => self.lose_copy(request, chunk),
            Input::ChunkLost { chunk } => {
                if chunk.0 < self.pieces.chunk_count() && self.pieces.on_lost(chunk) {
                    self.picker.on_wanted(chunk);
                    self.follow_again = true;
                    self.look_at_all();
                }
            }
            Input::RequestEnded { request, end } => self.on_ended(request, end, now),
            Input::RoundTrip { peer, round_trip } => {
                if let Some(source) = self.sources.no_of(&peer).and_then(|no| self.sources.get_mut(no)) {
                    source.on_round_trip(round_trip);
                }
            }
            Input::DiskFull => {
                self.disk_full = true;
                self.cancel_all();
            }
            Input::DiskFree => {
                self.disk_full = false;
                self.look_at_all();
            }
            Input::Pause => {
                self.paused = true;
                self.cancel_all();
                self.unsubscribe_all(now);
            }
            Input::Resume => {
                self.paused = false;
                self.follow_again = true;
                self.look_at_all();
            }
            Input::InFlightMax { bytes } => self.in_flight_max = bytes,
        }
        self.settle(now);
    }

    /// Deadlines, back-offs and the look at idle sources.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, timer)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, timer));
            match timer {
                Timer::Request(request) => self.on_deadline(request, now),
                Timer::Source(no) => self.on_back(no, now),
            }
        }
        if self.tick_at.is_some_and(|at| at <= now) {
            self.tick_at = None;
            self.look_at.append(&mut self.starved);
            self.near.refresh(&mut self.sources, &self.pieces);
            self.rotate(now);
            self.follow_again |= self.unsubscribed;
        }
        self.settle(now);
    }

    /// When to call [`Self::handle_timeout`]; ask again after each input.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let timer = self.timers.first().map(|(at, timer)| match timer {
            Timer::Request(_) => (*at, "a request is due"),
            Timer::Source(_) => (*at, "a source may be asked again"),
        });
        let tick = self.tick_at.map(|at| (at, "idle sources"));
        [timer, tick].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// What to do next; call until `None` after each input and timeout.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What the transfer is doing.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// What is verified.
    #[must_use]
    pub fn have(&self) -> &ChunkSet {
        self.pieces.have()
    }

    /// Whether a server has named `chunk` and it is not verified yet.
    #[must_use]
    pub fn is_coming(&self, chunk: ChunkNo) -> bool {
        self.pieces.in_flight().contains_key(&chunk)
    }

    /// Which of `chunks` are coming, and from whom; where two copies are, from the first of them.
    pub fn coming_in(&self, chunks: Range<u32>) -> impl Iterator<Item = (ChunkNo, PeerId)> + '_ {
        self.pieces.in_flight().range(ChunkNo(chunks.start)..ChunkNo(chunks.end)).filter_map(|(chunk, copies)| {
            let source = self.sources.get(copies.first()?.source)?;
            Some((*chunk, source.peer))
        })
    }

    /// Verified bytes.
    #[must_use]
    pub fn have_bytes(&self) -> u64 {
        self.pieces.have_bytes()
    }

    /// Bytes that are still to come.
    #[must_use]
    pub fn left_bytes(&self) -> u64 {
        self.pieces.left_bytes()
    }

    /// Bytes that came and were of no use: second copies and wrong ones.
    #[must_use]
    pub fn wasted_bytes(&self) -> u64 {
        self.wasted_bytes
    }

    /// How many peers are known to hold `chunk`.
    #[must_use]
    pub fn holders(&self, chunk: ChunkNo) -> usize {
        usize::from(self.picker.holders(chunk)) + self.sources.complete()
    }

    /// The peers that are known to hold `chunk`.
    pub fn holders_of(&self, chunk: ChunkNo) -> impl Iterator<Item = PeerId> + '_ {
        self.sources.iter().filter(move |(_, source)| source.map.has(chunk)).map(|(_, source)| source.peer)
    }

    /// How many of `chunks` a source is known to hold.
    #[must_use]
    pub fn held_by(&self, peer: &PeerId, chunks: Range<u32>) -> u32 {
        match self.sources.no_of(peer).and_then(|no| self.sources.get(no)).map(|source| &source.map) {
            Some(Map::Partial(have)) => have.count_in(chunks),
            Some(Map::Complete) => chunks.end.min(self.pieces.chunk_count()).saturating_sub(chunks.start),
            Some(Map::Unknown) | None => 0,
        }
    }

    /// Every source.
    pub fn sources(&self) -> impl Iterator<Item = SourceView> + '_ {
        self.sources.iter().map(|(_, source)| SourceView {
            peer: source.peer,
            holds: match &source.map {
                Map::Unknown => None,
                Map::Partial(have) => Some(have.len()),
                Map::Complete => Some(self.pieces.chunk_count()),
            },
            rate_bps: if source.requests.is_empty() { 0 } else { source.rate_bps().unwrap_or(0.0) as u64 },
            round_trip: source.round_trip(),
            coming_bytes: source.outstanding,
            verified_bytes: source.verified_bytes,
        })
    }

    fn is_stopped(&self) -> bool {
        self.paused || self.disk_full || self.pieces.is_done()
    }
}

/// What sources say of themselves.
impl Download {
    fn on_source_up(&mut self, peer: PeerId, complete: bool, round_trip: Duration, now: Instant) {
        if self.sources.is_dropped(&peer) {
            return;
        }
        if let Some(source) = self.sources.no_of(&peer).and_then(|no| self.sources.get_mut(no)) {
            self.follow_again |= source.complete_hint != complete;
            source.complete_hint = complete;
            source.on_round_trip(round_trip);
        } else if self.sources.len() < SOURCES_MAX {
            self.sources.add(peer, complete, round_trip, now);
            self.follow_again = true;
        }
    }

    fn on_source_down(&mut self, peer: &PeerId, now: Instant) {
        let Some(no) = self.sources.no_of(peer) else { return };
        self.cancel_requests_of(no);
        self.set_map(no, Map::Unknown, now);
        if let Some(source) = self.sources.remove(no) {
            self.look_at.remove(&no);
            self.starved.remove(&no);
            self.queued.remove(&no);
            if let Some(at) = source.away_until {
                self.timers.remove(&(at, Timer::Source(no)));
            }
        }
    }

    fn on_have_map(&mut self, peer: &PeerId, have: ChunkSet, now: Instant) {
        let Some(no) = self.sources.no_of(peer) else { return };
        if have.chunk_count() != self.pieces.chunk_count() {
            return;
        }
        let map = if have.is_full() { Map::Complete } else { Map::Partial(have) };
        self.set_map(no, map, now);
    }

    fn on_have_delta(&mut self, peer: &PeerId, set: &ChunkRanges, clear: &ChunkRanges, now: Instant) {
        let Some(no) = self.sources.no_of(peer) else { return };
        if !clear.is_empty() {
            self.make_partial(no, now);
        }
        let Some(source) = self.sources.get_mut(no) else { return };
        let near = !source.far && source.wire_bps.is_some();
        let Map::Partial(have) = &mut source.map else { return };
        for chunk in set.iter() {
            if have.insert(chunk) {
                self.picker.on_holder(chunk);
                if near {
                    self.near.on_holder(chunk);
                }
            }
        }
        for chunk in clear.iter() {
            if have.remove(chunk) {
                self.picker.on_holder_lost(chunk);
            }
        }
        if have.is_full() {
            self.set_map(no, Map::Complete, now);
        }
        self.look_at.insert(no);
    }

    fn on_have_ended(&mut self, peer: &PeerId, now: Instant) {
        let Some(no) = self.sources.no_of(peer) else { return };
        self.set_map(no, Map::Unknown, now);
        if let Some(source) = self.sources.get_mut(no) {
            source.subscribed = false;
        }
        self.follow_again = true;
        self.send_away(no, BACK_OFF_LINK, now);
    }

    /// A complete source turned out to lack something: from now on its chunks are counted.
    fn make_partial(&mut self, no: SourceNo, now: Instant) {
        if self.sources.get(no).is_some_and(|source| matches!(source.map, Map::Complete)) {
            self.set_map(no, Map::Partial(ChunkSet::full(self.pieces.chunk_count())), now);
        }
    }

    fn set_map(&mut self, no: SourceNo, map: Map, now: Instant) {
        if let Map::Partial(have) = &map {
            for chunk in have.iter() {
                self.picker.on_holder(chunk);
            }
        }
        if let Some(Map::Partial(have)) = self.sources.set_map(no, map) {
            for chunk in have.iter() {
                self.picker.on_holder_lost(chunk);
            }
        }
        if let Some(source) = self.sources.get_mut(no) {
            source.idle_since = now;
            self.look_at.insert(no);
        }
    }
}

/// What becomes of requests.
impl Download {
    fn on_named(&mut self, request: RequestNo, chunk: ChunkNo, now: Instant) {
        let Some(known) = self.requests.get_mut(&request) else { return };
        let asked = known.of.as_slice().iter().any(|range| (range.start()..range.end()).contains(&chunk.0));
        if !asked || known.left == 0 || known.named.contains(&chunk) {
            self.on_ended(request, RequestEnd::Violation, now);
            self.outputs.push_back(Output::CancelRequest { request });
            return;
        }
        if known.left == known.take
            && let Some(source) = self.sources.get_mut(known.source)
        {
            source.on_answer(now.saturating_duration_since(known.asked));
            self.look_at.insert(known.source);
        }
        known.left -= 1;
        if known.left == 0 {
            known.release(&mut self.picker);
        }
        let copy = Copy { request, source: known.source, since: now, arrived: false };
        let second = known.second;
        let small = self.pieces.len_of(chunk) < CANCEL_BYTES_MIN;
        let copies = self.pieces.in_flight().get(&chunk).map_or(0, Vec::len);
        match self.pieces.at(chunk) {
            At::Wanted => {
                known.named.push(chunk);
                self.pieces.on_named(chunk, copy);
                self.picker.on_not_wanted(chunk);
                self.drop_stale(chunk, request);
            }
            At::InFlight if copies < COPIES_MAX && (second || small) => {
                known.named.push(chunk);
                self.pieces.on_named(chunk, copy);
            }
            // It comes from elsewhere, or is here. Small ones pass and are thrown away.
            At::InFlight | At::Have | At::Unwanted if small => {
                self.wasted_bytes += u64::from(self.pieces.len_of(chunk));
            }
            At::InFlight | At::Have | At::Unwanted => {
                let no = known.source;
                self.cancel(request);
                self.look_at.insert(no);
            }
        }
    }

    /// Requests that wait in a line for little more than what comes another way are taken back, and asked anew.
    fn drop_stale(&mut self, chunk: ChunkNo, by: RequestNo) {
        let mut stale = Vec::new();
        for (request, known) in self.requests.iter_mut().filter(|(request, _)| **request != by) {
            if let Some(at) = known.candidates.iter().position(|other| *other == chunk) {
                known.candidates.swap_remove(at);
                if known.left == known.take && known.candidates.len() < known.take as usize {
                    stale.push((*request, known.source));
                }
            }
        }
        for (request, no) in stale {
            self.cancel(request);
            self.look_at.insert(no);
        }
    }

    fn on_arrived(&mut self, request: RequestNo, chunk: ChunkNo, now: Instant) {
        if chunk.0 >= self.pieces.chunk_count() {
            return;
        }
        let named = self.pieces.on_arrived(chunk, request);
        let len = self.pieces.len_of(chunk);
        let Some(known) = self.requests.get_mut(&request) else { return };
        known.named.retain(|named| *named != chunk);
        // The last chunk takes what is left of the estimate with it.
        let mean = known.bytes / u64::from(known.left + 1).max(1);
        let came = if known.left == 0 && known.named.is_empty() { known.bytes } else { mean.min(known.bytes) };
        known.bytes -= came;
        self.outstanding -= came;
        let no = known.source;
        let before = known.deadline;
        let Some(source) = self.sources.get_mut(no) else { return };
        source.outstanding -= came;
        source.on_arrived(len, now);
        if let Some(since) = named.filter(|_| len >= CANCEL_BYTES_MIN) {
            source.on_whole(len, now.saturating_duration_since(since));
        }
        source.idle_since = now;
        known.deadline = now + (source.expected(source.outstanding) * DEADLINE_FACTOR).max(DEADLINE_MIN);
        self.timers.remove(&(before, Timer::Request(request)));
        self.timers.insert((known.deadline, Timer::Request(request)));
        self.look_at.insert(no);
    }

    fn on_verified(&mut self, request: RequestNo, chunk: ChunkNo, now: Instant) {
        if chunk.0 >= self.pieces.chunk_count() {
            return;
        }
        let (copies, new) = self.pieces.on_verified(chunk);
        self.picker.on_not_wanted(chunk);
        let len = u64::from(self.pieces.len_of(chunk));
        if !new {
            self.wasted_bytes += len;
            return;
        }
        for copy in copies {
            if copy.request == request {
                if let Some(source) = self.sources.get_mut(copy.source) {
                    source.verified_bytes += len;
                }
            } else if copy.arrived {
                // Told as verified or bad in its turn, and counted as wasted there.
            } else if let Some(known) = self.requests.get_mut(&copy.request) {
                known.named.retain(|named| *named != chunk);
                self.cancel(copy.request);
            }
        }
        if self.pieces.is_done() {
            self.cancel_all();
            self.unsubscribe_all(now);
        }
    }

    fn on_bad(&mut self, request: RequestNo, chunk: ChunkNo, now: Instant) {
        if chunk.0 >= self.pieces.chunk_count() {
            return;
        }
        self.wasted_bytes += u64::from(self.pieces.len_of(chunk));
        let copies = self.pieces.in_flight().get(&chunk).into_iter().flatten();
        let from = copies.copied().find(|copy| copy.request == request).map(|copy| copy.source);
        self.lose_copy(request, chunk);
        let Some(no) = from else { return };
        let Some(peer) = self.sources.get(no).map(|source| source.peer) else { return };
        self.outputs.push_back(Output::ReportBad { peer, chunk });
        // Not asked there again until it says that it has it (again).
        self.make_partial(no, now);
        if let Some(source) = self.sources.get_mut(no)
            && let Map::Partial(have) = &mut source.map
            && have.remove(chunk)
        {
            self.picker.on_holder_lost(chunk);
        }
        self.strike(no, now);
    }

    fn on_ended(&mut self, request: RequestNo, end: RequestEnd, now: Instant) {
        let Some(known) = self.requests.get(&request) else { return };
        let no = known.source;
        // It gave nothing although it could have: asking again at once would only spin.
        let nothing = known.left == known.take && known.of.iter().any(|chunk| self.pieces.wanted().contains(chunk));
        self.forget(request);
        match end {
            RequestEnd::Done if nothing => self.send_away(no, BACK_OFF_NOTHING, now),
            RequestEnd::Done => {}
            RequestEnd::Busy => self.send_away(no, BACK_OFF_BUSY, now),
            RequestEnd::Changed => self.send_away(no, BACK_OFF_CHANGED, now),
            RequestEnd::LinkLost => self.send_away(no, BACK_OFF_LINK, now),
            RequestEnd::Gone => {
                self.cancel_requests_of(no);
                self.set_map(no, Map::Unknown, now);
                self.unsubscribe(no);
                self.send_away(no, BACK_OFF_GONE, now);
            }
            RequestEnd::Violation => self.strike(no, now),
        }
        self.look_at.insert(no);
    }

    fn on_deadline(&mut self, request: RequestNo, now: Instant) {
        let Some(no) = self.requests.get(&request).map(|known| known.source) else { return };
        // The others of this source wait behind it: they would time out one after the other.
        self.cancel_requests_of(no);
        self.send_away(no, BACK_OFF_TIMED_OUT, now);
    }

    fn on_back(&mut self, no: SourceNo, now: Instant) {
        if let Some(source) = self.sources.get_mut(no)
            && source.away_until.is_some_and(|at| at <= now)
        {
            source.away_until = None;
            source.idle_since = now;
            self.follow_again |= !source.subscribed;
            self.look_at.insert(no);
        }
    }

    fn strike(&mut self, no: SourceNo, now: Instant) {
        let Some(source) = self.sources.get_mut(no) else { return };
        source.strikes += 1;
        let peer = source.peer;
        if source.strikes < STRIKES_MAX {
            return;
        }
        self.unsubscribe(no);
        self.sources.mark_dropped(peer);
        self.on_source_down(&peer, now);
        self.outputs.push_back(Output::DropSource { peer });
    }

    fn send_away(&mut self, no: SourceNo, least: Duration, now: Instant) {
        let Some(source) = self.sources.get_mut(no) else { return };
        if let Some(before) = source.away_until {
            self.timers.remove(&(before, Timer::Source(no)));
        }
        let until = source.back_off(least, now);
        self.timers.insert((until, Timer::Source(no)));
    }

    fn lose_copy(&mut self, request: RequestNo, chunk: ChunkNo) {
        if self.pieces.on_copy_lost(chunk, request) {
            self.picker.on_wanted(chunk);
            self.look_at.append(&mut self.starved);
        }
    }

    /// Resets a request and forgets it.
    fn cancel(&mut self, request: RequestNo) {
        self.outputs.push_back(Output::CancelRequest { request });
        self.forget(request);
    }

    fn cancel_all(&mut self) {
        for request in self.requests.keys().copied().collect::<Vec<_>>() {
            self.cancel(request);
        }
    }

    fn cancel_requests_of(&mut self, no: SourceNo) {
        for request in self.sources.get(no).map(|source| source.requests.clone()).unwrap_or_default() {
            self.cancel(request);
        }
    }

    /// What was named and did not arrive is wanted again; what arrived is still being hashed.
    fn forget(&mut self, request: RequestNo) {
        let Some(mut known) = self.requests.remove(&request) else { return };
        known.release(&mut self.picker);
        self.look_at.append(&mut self.queued);
        self.timers.remove(&(known.deadline, Timer::Request(request)));
        self.outstanding -= known.bytes;
        for chunk in known.named {
            self.lose_copy(request, chunk);
        }
        if let Some(source) = self.sources.get_mut(known.source) {
            source.outstanding -= known.bytes;
            source.unanswered -= usize::from(known.left == known.take);
            source.requests.remove(&request);
            self.active -= usize::from(source.requests.is_empty());
        }
    }
}

impl Request {
    /// It waits for its candidates no longer.
    fn release(&mut self, picker: &mut Picker) {
        let candidates = std::mem::take(&mut self.candidates);
        if self.claimed {
            picker.release(&candidates);
        }
    }
}

#[cfg(test)]
mod tests;
