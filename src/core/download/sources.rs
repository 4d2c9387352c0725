//! The peers a transfer can ask: what each holds, how fast it is, and whether to leave it alone for
//! a while. Owned by [`super::Download`].

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::RequestNo;
use crate::types::{CHUNK_BYTES, ChunkNo, ChunkSet, PeerId};

/// Wrong chunks after which a source is not asked for this content again.
pub(super) const STRIKES_MAX: u8 = 3;

/// A piece is what a source delivers in this time…
const PIECE_TIME: f64 = 0.2;
/// …but at least one chunk and at most four.
const PIECE_BYTES_MAX: u64 = 4 * CHUNK_BYTES as u64;

/// Added to the round trip for a window: a server's disk and our own scheduling.
const WINDOW_SLACK: Duration = Duration::from_millis(50);

/// Cap of one source's window, whatever it delivers: the process has 48 MiB for everybody.
const WINDOW_BYTES_MAX: u64 = 16 << 20;

/// Least and most time a source is left alone; doubled each time in a row.
const BACK_OFF_MAX: Duration = Duration::from_secs(30);

/// A rate is averaged over about this long.
const RATE_TIME: f64 = 0.5;
/// Arrivals closer together than this are one sample: clocks and batches make single ones meaningless.
const RATE_SAMPLE_MIN: Duration = Duration::from_millis(10);

/// Requests outstanding at one source: far below the streams of a link, which other transfers use too.
pub(super) const REQUESTS_PER_SOURCE_MAX: usize = 8;

/// Short for a source within this transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SourceNo(pub(super) u32);

/// What a source holds.
#[derive(Debug)]
pub(super) enum Map {
    /// It has not said yet.
    Unknown,
    /// These. Counted in the picker's holders.
    Partial(ChunkSet),
    /// Everything. Not counted in the picker.
    Complete,
}

impl Map {
    pub(super) fn has(&self, chunk: ChunkNo) -> bool {
        match self {
            Self::Unknown => false,
            Self::Partial(have) => have.contains(chunk),
            Self::Complete => true,
        }
    }
}

/// One peer that may have chunks.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) peer: PeerId,
    pub(super) complete_hint: bool,
    pub(super) subscribed: bool,
    /// How often its have-map was followed: those that wait go first.
    pub(super) tries: u32,
    pub(super) map: Map,
    /// Where its share of the content begins: other sources and other getters begin elsewhere.
    pub(super) start: u32,
    /// Its place among equals, another one for each getter.
    pub(super) rank: u64,
    pub(super) requests: BTreeSet<RequestNo>,
    /// Bytes asked for and not here yet, about.
    pub(super) outstanding: u64,
    pub(super) strikes: u8,
    pub(super) verified_bytes: u64,
    /// Not asked before this.
    pub(super) away_until: Option<Instant>,
    pub(super) idle_since: Instant,
    /// Requests of which nothing was named yet.
    pub(super) unanswered: usize,
    /// Bytes a second of whole chunks from their first to their last byte, without the time in line.
    pub(super) wire_bps: Option<f64>,
    /// Whether its chunks come much slower than those of others: see [`super::near`].
    pub(super) far: bool,
    /// How long requests lately waited for the first chunk, in seconds.
    wait: f64,
    in_a_row: u32,
    round_trip_min: Duration,
    rate: RateMeter,
}

impl Source {
    fn new(
        peer: PeerId,
        complete_hint: bool,
        round_trip: Duration,
        (rank, chunk_count): (u64, u32),
        now: Instant,
    ) -> Self {
        Self {
            peer,
            complete_hint,
            subscribed: false,
            tries: 0,
            map: Map::Unknown,
            start: (rank % u64::from(chunk_count.max(1))) as u32,
            rank,
            requests: BTreeSet::new(),
            outstanding: 0,
            strikes: 0,
            verified_bytes: 0,
            away_until: None,
            idle_since: now,
            unanswered: 0,
            wire_bps: None,
            far: false,
            wait: 0.0,
            in_a_row: 0,
            round_trip_min: round_trip,
            rate: RateMeter::default(),
        }
    }

    /// Bytes a second lately; `None` before the first chunk.
    pub(super) fn rate_bps(&self) -> Option<f64> {
        self.rate.bps
    }

    pub(super) fn round_trip(&self) -> Duration {
        self.round_trip_min
    }

    pub(super) fn piece_bytes(&self) -> u64 {
        let piece = self.rate.bps.unwrap_or(0.0) * PIECE_TIME;
        (piece as u64).clamp(u64::from(CHUNK_BYTES), PIECE_BYTES_MAX)
    }

    pub(super) fn window_bytes(&self) -> u64 {
        let flight = self.rate.bps.unwrap_or(0.0) * (self.round_trip_min + WINDOW_SLACK).as_secs_f64();
        (flight as u64).clamp(2 * self.piece_bytes(), WINDOW_BYTES_MAX)
    }

    /// Roughly how long one waits in its line: equal for sources that are hardly told apart.
    pub(super) fn wait_class(&self) -> u32 {
        ((self.wait * 1e3) as u64 + 1).ilog2()
    }

    /// How many requests may wait there. In a line one is enough, and a second would soon be stale; where
    /// there is none, as many as the window has room for keep it busy.
    pub(super) fn unanswered_max(&self) -> usize {
        let at_once = (3 * self.round_trip_min + WINDOW_SLACK / 2).as_secs_f64();
        if self.wait > at_once { 1 } else { REQUESTS_PER_SOURCE_MAX }
    }

    /// The first chunk of a request was named.
    pub(super) fn on_answer(&mut self, waited: Duration) {
        self.unanswered -= 1;
        self.wait += 0.3 * (waited.as_secs_f64() - self.wait);
    }

    /// A whole chunk took so long from its first to its last byte.
    pub(super) fn on_whole(&mut self, bytes: u32, took: Duration) {
        let sample = f64::from(bytes) / took.max(Duration::from_millis(1)).as_secs_f64();
        self.wire_bps = Some(self.wire_bps.map_or(sample, |bps| bps + 0.3 * (sample - bps)));
    }

    /// How long `bytes` take when everything asked before has come.
    pub(super) fn expected(&self, bytes: u64) -> Duration {
        // Unknown: as slow as the least limit, so that a limited server is not called dead.
        let bps = self.rate.bps.unwrap_or(f64::from(CHUNK_BYTES)).max(1_024.0);
        Duration::from_secs_f64(bytes as f64 / bps) + self.round_trip_min
    }

    /// How much longer than usual to wait: doubles with each time-out in a row, so that a source that
    /// is only slow delivers in the end.
    pub(super) fn patience(&self) -> u32 {
        1 << self.in_a_row.min(4)
    }

    pub(super) fn on_round_trip(&mut self, round_trip: Duration) {
        self.round_trip_min = self.round_trip_min.min(round_trip);
    }

    pub(super) fn on_asked(&mut self, now: Instant) {
        if self.requests.is_empty() {
            self.rate.on_busy(now);
        }
    }

    pub(super) fn on_arrived(&mut self, bytes: u32, now: Instant) {
        self.in_a_row = 0;
        self.rate.on_bytes(bytes, now);
    }

    /// Leaves it alone for `least`, twice as long each time in a row. When it may be asked again.
    pub(super) fn back_off(&mut self, least: Duration, now: Instant) -> Instant {
        let time = (least * (1 << self.in_a_row.min(10))).min(BACK_OFF_MAX.max(least));
        self.in_a_row += 1;
        let until = self.away_until.map_or(now + time, |before| before.max(now + time));
        self.away_until = Some(until);
        until
    }

    pub(super) fn is_askable(&self) -> bool {
        self.away_until.is_none() && !matches!(self.map, Map::Unknown)
    }
}

#[derive(Debug, Default)]
struct RateMeter {
    bps: Option<f64>,
    since: Option<Instant>,
    bytes: u64,
}

impl RateMeter {
    /// Something was asked after a time of nothing: silence before this does not count.
    fn on_busy(&mut self, now: Instant) {
        self.since = Some(now);
        self.bytes = 0;
    }

    fn on_bytes(&mut self, bytes: u32, now: Instant) {
        self.bytes += u64::from(bytes);
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        if passed < RATE_SAMPLE_MIN {
            return;
        }
        let seconds = passed.as_secs_f64();
        let sample = self.bytes as f64 / seconds;
        let weight = seconds / (seconds + RATE_TIME);
        self.bps = Some(self.bps.map_or(sample, |bps| bps + weight * (sample - bps)));
        self.since = Some(now);
        self.bytes = 0;
    }
}

/// All sources of one transfer.
#[derive(Debug)]
pub(super) struct Sources {
    known: BTreeMap<SourceNo, Source>,
    by_peer: BTreeMap<PeerId, SourceNo>,
    /// Those that sent wrong chunks too often; they stay out whatever they announce.
    dropped: BTreeSet<PeerId>,
    next: u32,
    told: usize,
    complete: usize,
    seed: u64,
    chunk_count: u32,
}

impl Sources {
    pub(super) fn new(seed: u64, chunk_count: u32) -> Self {
        Self {
            known: BTreeMap::new(),
            by_peer: BTreeMap::new(),
            dropped: BTreeSet::new(),
            next: 0,
            told: 0,
            complete: 0,
            seed,
            chunk_count,
        }
    }

    pub(super) fn no_of(&self, peer: &PeerId) -> Option<SourceNo> {
        self.by_peer.get(peer).copied()
    }

    pub(super) fn get(&self, no: SourceNo) -> Option<&Source> {
        self.known.get(&no)
    }

    pub(super) fn get_mut(&mut self, no: SourceNo) -> Option<&mut Source> {
        self.known.get_mut(&no)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SourceNo, &Source)> {
        self.known.iter().map(|(no, source)| (*no, source))
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Those that said what they hold.
    pub(super) fn told(&self) -> usize {
        self.told
    }

    /// Those that hold everything.
    pub(super) fn complete(&self) -> usize {
        self.complete
    }

    /// A source holds something else now; what it held before.
    pub(super) fn set_map(&mut self, no: SourceNo, map: Map) -> Option<Map> {
        let source = self.known.get_mut(&no)?;
        let count = |map: &Map| (usize::from(!matches!(map, Map::Unknown)), usize::from(matches!(map, Map::Complete)));
        let ((told, complete), (told_before, complete_before)) = (count(&map), count(&source.map));
        self.told = self.told + told - told_before;
        self.complete = self.complete + complete - complete_before;
        Some(std::mem::replace(&mut source.map, map))
    }

    pub(super) fn is_dropped(&self, peer: &PeerId) -> bool {
        self.dropped.contains(peer)
    }

    pub(super) fn subscribed(&self) -> usize {
        self.known.values().filter(|source| source.subscribed).count()
    }

    pub(super) fn add(&mut self, peer: PeerId, complete_hint: bool, round_trip: Duration, now: Instant) -> SourceNo {
        let no = SourceNo(self.next);
        self.next += 1;
        // Another one for each getter, so that a room full of getters does not all turn to the same seeders.
        let place = (hash(self.seed, &peer), self.chunk_count);
        self.known.insert(no, Source::new(peer, complete_hint, round_trip, place, now));
        self.by_peer.insert(peer, no);
        no
    }

    pub(super) fn remove(&mut self, no: SourceNo) -> Option<Source> {
        self.set_map(no, Map::Unknown);
        let source = self.known.remove(&no)?;
        self.by_peer.remove(&source.peer);
        Some(source)
    }

    pub(super) fn mark_dropped(&mut self, peer: PeerId) {
        self.dropped.insert(peer);
    }
}

/// A shuffled number for a peer, the same for everybody with the same seed.
pub(super) fn hash(seed: u64, peer: &PeerId) -> u64 {
    let mut hash = mix(seed);
    for part in peer.as_bytes().chunks_exact(8) {
        let mut word = [0; 8];
        word.copy_from_slice(part);
        hash = mix(hash ^ u64::from_le_bytes(word));
    }
    hash
}

/// The finaliser of splitmix64.
fn mix(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
