//! The model: each seat has one port that carries so many bytes a second in and out; what is sent at the
//! same time shares it evenly. A send runs at the lesser share of its two ends, worked out anew at
//! each event. Hashing and disks take no time; words arrive after the round trip.

use std::{
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use potluck::{
    core::{
        download::{self, Download, Plan, RequestEnd},
        offer::{self, Offer},
    },
    types::{ChunkNo, ChunkRanges, ChunkSet, PeerId},
};

const ROUND_TRIP: Duration = Duration::from_micros(400);
/// Have-maps change at most ten times a second.
const HAVE_PAUSE: Duration = Duration::from_millis(100);

/// A machine of the party.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat {
    port_bps: u64,
    has_all: bool,
}

impl Seat {
    pub(crate) fn new(port_bps: u64, has_all: bool) -> Self {
        Self { port_bps, has_all }
    }
}

/// Something that goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The seat is away.
    Gone { seat: usize, from: Duration, to: Duration },
    /// Every chunk it sends is wrong.
    Liar { seat: usize },
    /// It takes requests and sends nothing.
    Silent { seat: usize },
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) all_done: bool,
    pub(crate) last_done: Duration,
    pub(crate) from_first_seeder: f64,
    pub(crate) wasted: f64,
    pub(crate) bad: usize,
    pub(crate) requests: usize,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: f64| bytes / f64::from(1 << 20);
        write!(
            f,
            "done {} after {:.2} s, {:.0} MiB from the first seeder, {:.1} MiB for nothing, {} bad, {} requests",
            self.all_done,
            self.last_done.as_secs_f64(),
            mib(self.from_first_seeder),
            mib(self.wasted),
            self.bad,
            self.requests
        )
    }
}

/// A party in virtual time.
pub(crate) struct Party {
    lens: Arc<[u32]>,
    nodes: Vec<Node>,
    faults: Vec<Fault>,
    not_awaited: BTreeSet<usize>,
    start: Instant,
    now: Instant,
    words: BinaryHeap<Due>,
    next_word: u64,
    sends: Vec<Sending>,
    outcome: Outcome,
}

struct Node {
    seat: Seat,
    download: Option<Download>,
    offer: Offer,
    have: ChunkSet,
    /// Who follows our have-map, and what it was told.
    followers: BTreeMap<usize, ChunkSet>,
    announce_at: Option<Instant>,
    away: bool,
    silent: bool,
    /// Requests that others made of us: ours by number, theirs.
    asked: BTreeMap<offer::RequestNo, (usize, download::RequestNo)>,
    next_asked: u64,
    done_at: Option<Instant>,
}

struct Sending {
    from: usize,
    to: usize,
    asked: offer::RequestNo,
    request: download::RequestNo,
    chunks: Vec<ChunkNo>,
    left: f64,
}

/// A word on its way.
struct Due {
    at: Instant,
    number: u64,
    word: Word,
}

#[derive(Debug, Clone)]
enum Word {
    Asked {
        by: usize,
        of: usize,
        request: download::RequestNo,
        ranges: ChunkRanges,
        take: u32,
    },
    Cancelled {
        by: usize,
        of: usize,
        request: download::RequestNo,
    },
    /// The first bytes of a send say which chunk it is.
    Named {
        to: usize,
        request: download::RequestNo,
        chunk: ChunkNo,
    },
    Ended {
        to: usize,
        request: download::RequestNo,
        end: RequestEnd,
    },
    Map {
        of: usize,
        to: usize,
    },
    Away {
        seat: usize,
        away: bool,
    },
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    /// The earliest is the greatest, as the heap wants it.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

fn peer(seat: usize) -> PeerId {
    PeerId::from_bytes([seat as u8; 32])
}

fn seat_of(peer: PeerId) -> usize {
    usize::from(peer.as_bytes()[0])
}

impl Party {
    pub(crate) fn new(seed: u64, lens: Vec<u32>, seats: impl Iterator<Item = Seat>) -> Self {
        let lens: Arc<[u32]> = lens.into();
        let count = lens.len() as u32;
        let node = |(number, seat): (usize, Seat)| {
            let have = if seat.has_all { ChunkSet::full(count) } else { ChunkSet::empty(count) };
            let plan = Plan {
                chunk_lens: Arc::clone(&lens),
                have: have.clone(),
                wanted: ChunkSet::full(count),
                seed: seed.wrapping_mul(0x9e37_79b9).wrapping_add(number as u64),
                in_flight_max: 48 << 20,
            };
            Node {
                seat,
                download: (!seat.has_all).then(|| Download::new(plan)),
                offer: Offer::new(Arc::clone(&lens), have.clone()),
                have,
                followers: BTreeMap::new(),
                announce_at: None,
                away: false,
                silent: false,
                asked: BTreeMap::new(),
                next_asked: 0,
                done_at: None,
            }
        };
        let start = Instant::now();
        Self {
            nodes: seats.enumerate().map(node).collect(),
            lens,
            faults: Vec::new(),
            not_awaited: BTreeSet::new(),
            start,
            now: start,
            words: BinaryHeap::new(),
            next_word: 0,
            sends: Vec::new(),
            outcome: Outcome {
                all_done: false,
                last_done: Duration::ZERO,
                from_first_seeder: 0.0,
                wasted: 0.0,
                bad: 0,
                requests: 0,
            },
        }
    }

    pub(crate) fn with(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// The party may end before this seat is done.
    pub(crate) fn without_waiting_for(mut self, seat: usize) -> Self {
        self.not_awaited.insert(seat);
        self
    }

    /// Plays until everybody awaited is done, or until `at_most`.
    pub(crate) fn play(mut self, at_most: Duration) -> Outcome {
        for fault in self.faults.clone() {
            match fault {
                Fault::Gone { seat, from, to } => {
                    self.say(from, Word::Away { seat, away: true });
                    self.say(to, Word::Away { seat, away: false });
                }
                Fault::Silent { seat } => self.nodes[seat].silent = true,
                Fault::Liar { .. } => {}
            }
        }
        for of in 0..self.nodes.len() {
            self.introduce(of);
        }
        while !self.is_over() && self.now < self.start + at_most && self.step() {}
        let downloads = self.nodes.iter().filter_map(|node| node.download.as_ref());
        self.outcome.wasted += downloads.map(|download| download.wasted_bytes() as f64).sum::<f64>();
        self.outcome.all_done = self.is_over();
        let awaited = self.nodes.iter().enumerate().filter(|(seat, _)| !self.not_awaited.contains(seat));
        let last = awaited.filter_map(|(_, node)| node.done_at).max().unwrap_or(self.now);
        self.outcome.last_done = last - self.start;
        self.outcome
    }

    fn is_over(&self) -> bool {
        self.nodes
            .iter()
            .enumerate()
            .all(|(seat, node)| self.not_awaited.contains(&seat) || node.download.is_none() || node.done_at.is_some())
    }

    /// Everybody learns of a seat.
    fn introduce(&mut self, of: usize) {
        for to in 0..self.nodes.len() {
            if to != of && !self.nodes[to].away {
                let complete = self.nodes[of].have.is_full();
                let up = |peer, complete| download::Input::SourceUp { peer, complete, round_trip: ROUND_TRIP };
                self.tell(to, up(peer(of), complete));
                let back = self.nodes[to].have.is_full();
                self.tell(of, up(peer(to), back));
            }
        }
    }

    /// The next thing that happens; false when nothing ever will.
    fn step(&mut self) -> bool {
        let rates = self.rates();
        let sent = self.sends.iter().zip(&rates).map(|(send, rate)| self.now + secs(send.left / rate.max(1.0)));
        let timers = self.nodes.iter().flat_map(|node| {
            let download = node.download.as_ref().and_then(|download| download.poll_timeout()).map(|(at, _)| at);
            [download, node.offer.poll_timeout().map(|(at, _)| at), node.announce_at].into_iter().flatten()
        });
        let word = self.words.peek().map(|due| due.at);
        let Some(at) = sent.chain(timers).chain(word).min() else { return false };
        let at = at.max(self.now);
        let passed = (at - self.now).as_secs_f64();
        for (send, rate) in self.sends.iter_mut().zip(&rates) {
            send.left -= rate * passed;
            if send.from == 0 {
                self.outcome.from_first_seeder += rate * passed;
            }
        }
        self.now = at;
        self.deliver_words();
        self.finish_sends();
        self.run_timers();
        true
    }

    fn rates(&self) -> Vec<f64> {
        let (mut out, mut into) = (vec![0u32; self.nodes.len()], vec![0u32; self.nodes.len()]);
        for send in &self.sends {
            out[send.from] += 1;
            into[send.to] += 1;
        }
        let share = |seat: usize, users: u32| self.nodes[seat].seat.port_bps as f64 / f64::from(users);
        self.sends.iter().map(|send| share(send.from, out[send.from]).min(share(send.to, into[send.to]))).collect()
    }

    fn deliver_words(&mut self) {
        while self.words.peek().is_some_and(|due| due.at <= self.now) {
            let Some(due) = self.words.pop() else { return };
            self.on_word(due.word);
        }
    }

    fn on_word(&mut self, word: Word) {
        match word {
            Word::Asked { by, of, request, ranges, take } => {
                self.outcome.requests += 1;
                let node = &mut self.nodes[of];
                if node.away {
                    return self.say(ROUND_TRIP, Word::Ended { to: by, request, end: RequestEnd::LinkLost });
                }
                if node.silent {
                    return;
                }
                let asked = offer::RequestNo(node.next_asked);
                node.next_asked += 1;
                node.asked.insert(asked, (by, request));
                self.offer(of, offer::Input::Request { request: asked, peer: peer(by), of: ranges, take });
            }
            Word::Cancelled { by, of, request } => {
                let asked = self.nodes[of].asked.iter().find(|(_, asker)| **asker == (by, request));
                if let Some(asked) = asked.map(|(asked, _)| *asked) {
                    for send in self.sends.iter().filter(|send| send.from == of && send.asked == asked) {
                        let whole: f64 = send.chunks.iter().map(|chunk| f64::from(self.lens[chunk.index()])).sum();
                        self.outcome.wasted += whole - send.left;
                    }
                    self.sends.retain(|send| !(send.from == of && send.asked == asked));
                    self.nodes[of].asked.remove(&asked);
                    self.offer(of, offer::Input::Dropped { request: asked });
                }
            }
            Word::Named { to, request, chunk } => self.tell(to, download::Input::ChunkNamed { request, chunk }),
            Word::Ended { to, request, end } => self.tell(to, download::Input::RequestEnded { request, end }),
            Word::Map { of, to } => {
                if !self.nodes[of].away {
                    let have = self.nodes[of].have.clone();
                    self.nodes[of].followers.insert(to, have.clone());
                    self.tell(to, download::Input::HaveMap { peer: peer(of), have });
                }
            }
            Word::Away { seat, away } => self.on_away(seat, away),
        }
    }

    fn on_away(&mut self, seat: usize, away: bool) {
        self.nodes[seat].away = away;
        if !away {
            return self.introduce(seat);
        }
        self.sends.retain(|send| send.from != seat && send.to != seat);
        self.nodes[seat].asked.clear();
        self.nodes[seat].followers.clear();
        for other in (0..self.nodes.len()).filter(|other| *other != seat) {
            self.nodes[other].followers.remove(&seat);
            self.nodes[other].asked.retain(|_, (by, _)| *by != seat);
            self.tell(other, download::Input::SourceDown { peer: peer(seat) });
            self.tell(seat, download::Input::SourceDown { peer: peer(other) });
            self.offer(other, offer::Input::PeerGone { peer: peer(seat) });
            self.offer(seat, offer::Input::PeerGone { peer: peer(other) });
        }
    }

    fn finish_sends(&mut self) {
        let (done, rest) = std::mem::take(&mut self.sends).into_iter().partition(|send: &Sending| send.left < 0.5);
        self.sends = rest;
        for Sending { from, to, asked, request, chunks, .. } in done {
            let lies = self.faults.iter().any(|fault| matches!(fault, Fault::Liar { seat } if *seat == from));
            for (number, chunk) in chunks.iter().enumerate() {
                if number > 0 {
                    self.tell(to, download::Input::ChunkNamed { request, chunk: *chunk });
                }
                self.tell(to, download::Input::ChunkArrived { request, chunk: *chunk });
                if lies {
                    self.outcome.bad += 1;
                    self.tell(to, download::Input::ChunkBad { request, chunk: *chunk });
                } else {
                    self.on_good(to, request, *chunk);
                }
            }
            self.offer(from, offer::Input::Sent { request: asked });
        }
    }

    fn on_good(&mut self, seat: usize, request: download::RequestNo, chunk: ChunkNo) {
        let now = self.now;
        let node = &mut self.nodes[seat];
        if node.have.insert(chunk) {
            self.offer(seat, offer::Input::Have { chunk });
            let node = &mut self.nodes[seat];
            node.announce_at = Some(node.announce_at.unwrap_or(now + HAVE_PAUSE));
        }
        self.tell(seat, download::Input::ChunkVerified { request, chunk });
    }

    fn run_timers(&mut self) {
        let now = self.now;
        let due = |at: Option<(Instant, &str)>| at.is_some_and(|(at, _)| at <= now);
        for seat in 0..self.nodes.len() {
            if self.nodes[seat].download.as_ref().is_some_and(|download| due(download.poll_timeout())) {
                if let Some(download) = &mut self.nodes[seat].download {
                    download.handle_timeout(now);
                }
                self.carry_out(seat);
            }
            if due(self.nodes[seat].offer.poll_timeout()) {
                self.nodes[seat].offer.handle_timeout(now);
                self.serve(seat);
            }
            if self.nodes[seat].announce_at.is_some_and(|at| at <= now) {
                self.announce(seat);
            }
        }
    }

    fn announce(&mut self, seat: usize) {
        self.nodes[seat].announce_at = None;
        let have = self.nodes[seat].have.clone();
        let mut news = Vec::new();
        for (to, told) in &mut self.nodes[seat].followers {
            let set: Vec<ChunkNo> = have.iter().filter(|chunk| !told.contains(*chunk)).collect();
            told.clone_from(&have);
            news.push((*to, set));
        }
        for (to, chunks) in news {
            let set = ChunkRanges::from_preference(chunks.iter().copied());
            let clear = ChunkRanges::default();
            self.tell(to, download::Input::HaveDelta { peer: peer(seat), set, clear });
        }
        // Whoever gave us chunks learns of it too.
        for other in (0..self.nodes.len()).filter(|other| *other != seat) {
            self.offer(other, offer::Input::Announced { peer: peer(seat), chunks: have.iter().collect() });
        }
    }

    fn tell(&mut self, seat: usize, input: download::Input) {
        let now = self.now;
        if let Some(download) = &mut self.nodes[seat].download {
            download.handle_input(input, now);
            self.carry_out(seat);
        }
    }

    fn carry_out(&mut self, seat: usize) {
        while let Some(output) = self.nodes[seat].download.as_mut().and_then(Download::poll_output) {
            match output {
                download::Output::Subscribe { peer } => {
                    self.say(ROUND_TRIP, Word::Map { of: seat_of(peer), to: seat });
                }
                download::Output::Unsubscribe { peer } => {
                    self.nodes[seat_of(peer)].followers.remove(&seat);
                }
                download::Output::Request { request, peer, of, take } => {
                    let word = Word::Asked { by: seat, of: seat_of(peer), request, ranges: of, take };
                    self.requests(seat, request, seat_of(peer));
                    self.say(ROUND_TRIP / 2, word);
                }
                download::Output::CancelRequest { request } => {
                    for of in 0..self.nodes.len() {
                        self.say(ROUND_TRIP / 2, Word::Cancelled { by: seat, of, request });
                    }
                }
                download::Output::StateChanged(download::State::Done) => {
                    self.nodes[seat].done_at.get_or_insert(self.now);
                }
                download::Output::StateChanged(_)
                | download::Output::ReportBad { .. }
                | download::Output::DropSource { .. } => {}
            }
        }
    }

    /// Numbers are unique within a getter; nothing else is to be kept.
    fn requests(&self, by: usize, request: download::RequestNo, of: usize) {
        let twice = self.nodes[of].asked.values().any(|asked| *asked == (by, request));
        assert!(!twice, "a request number is used once");
    }

    fn offer(&mut self, seat: usize, input: offer::Input) {
        let now = self.now;
        self.nodes[seat].offer.handle_input(input, now);
        self.serve(seat);
    }

    fn serve(&mut self, seat: usize) {
        while let Some(output) = self.nodes[seat].offer.poll_output() {
            let ended = |party: &mut Self, asked, end| {
                if let Some((to, request)) = party.nodes[seat].asked.remove(&asked) {
                    party.say(ROUND_TRIP / 2, Word::Ended { to, request, end });
                }
            };
            match output {
                offer::Output::Send { request: asked, chunks } => {
                    let Some(&(to, request)) = self.nodes[seat].asked.get(&asked) else { continue };
                    let left = chunks.iter().map(|chunk| f64::from(self.lens[chunk.index()])).sum();
                    self.say(ROUND_TRIP / 2, Word::Named { to, request, chunk: chunks[0] });
                    self.sends.push(Sending { from: seat, to, asked, request, chunks, left });
                }
                offer::Output::End { request } => ended(self, request, RequestEnd::Done),
                offer::Output::Refuse { request } => ended(self, request, RequestEnd::Busy),
            }
        }
    }

    fn say(&mut self, after: Duration, word: Word) {
        self.next_word += 1;
        self.words.push(Due { at: self.now + after, number: self.next_word, word });
    }
}

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, 1e6))
}
