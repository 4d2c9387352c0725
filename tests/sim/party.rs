//! Whole parties in virtual time: `core::download` and `core::offer` of every seat over [`super::net`]. It
//! does for them what the runtime does (a word takes the way's delay, haves are told at once and then ten
//! times a second, what is sent to a peer waits in its connection behind what was sent before, a chunk is
//! named when its first byte arrives) and checks at every step what must always hold. It reads no clock:
//! everything follows from the scenario and its seed.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, HashMap, HashSet, VecDeque},
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

use super::{
    net::{Due, FlowNo, LinkNo, Nanos, Net},
    outcome::{Outcome, Runs, SeatOutcome},
};

/// Have-maps change at most ten times a second.
const HAVE_PAUSE: Nanos = 100_000_000;
/// What a stream takes from its server before the network has it.
const STREAM_BUFFER_BYTES: f64 = 2.0 * 1_048_576.0;
/// What the process may have in flight.
const IN_FLIGHT_MAX: u64 = 48 << 20;
/// How long the other side of a link that broke stays unknown.
const LOST_AFTER: Nanos = 5_000_000_000;
/// What a machine takes to say something, at most.
const JITTER: Nanos = 200_000;

/// A machine of the party.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    /// Bytes a second of its port, each way.
    pub(crate) port_bps: f64,
    /// From its port to its switch.
    pub(crate) delay: Duration,
    /// Which switch, 0 or 1.
    pub(crate) side: usize,
    pub(crate) has: Has,
    pub(crate) joins: Duration,
    pub(crate) faults: Vec<Fault>,
    /// The party goes on until it is done.
    pub(crate) awaited: bool,
}

/// What a seat begins with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Has {
    Nothing,
    All,
    /// About so many of a hundred chunks, others than the other seats.
    Percent(u32),
}

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// It is away from the first to the second.
    Away(Duration, Option<Duration>),
    /// It leaves for good when it has sent this many copies of the content.
    LeavesAfter(f64),
    /// Every chunk it sends is wrong.
    Liar,
    /// It takes requests and sends nothing.
    Silent,
}

/// What a party is made of.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) seed: u64,
    pub(crate) lens: Arc<[u32]>,
    pub(crate) seats: Vec<Seat>,
    /// Bytes a second between the two switches, each way.
    pub(crate) uplink_bps: Option<f64>,
    /// Peers each seat has links to.
    pub(crate) links_max: usize,
    pub(crate) at_most: Duration,
}

/// A party in virtual time.
pub(crate) struct Party {
    setting: Setting,
    start: Instant,
    now: Nanos,
    net: Net,
    uplinks: Option<[LinkNo; 2]>,
    nodes: Vec<Node>,
    connections: Vec<Connection>,
    connection_of: HashMap<(u32, u32), usize>,
    by_flow: HashMap<u32, usize>,
    events: BinaryHeap<Event>,
    next_event: u64,
    unfinished: usize,
    outcome: Outcome,
    dice: Dice,
    /// Prints what happens.
    trace: bool,
}

struct Node {
    seat: Seat,
    ports: [LinkNo; 2],
    download: Option<Download>,
    offer: Offer,
    have: ChunkSet,
    /// What it got, in order; a subscription begins with all of it.
    got: Vec<ChunkNo>,
    told: usize,
    announce_due: bool,
    quiet_until: Nanos,
    followers: Vec<u32>,
    friends: Vec<u32>,
    here: bool,
    /// What was asked of it.
    asked: HashMap<offer::RequestNo, Asked>,
    by_getter: HashMap<(u32, download::RequestNo), offer::RequestNo>,
    next_asked: u64,
    /// Its own requests and whom it asked.
    asking: HashMap<download::RequestNo, u32>,
    /// When the engine looks at its timers next.
    download_timer: Nanos,
    offer_timer: Nanos,
    /// How often each chunk was given, without what was dropped.
    given: Vec<u32>,
    /// When it began, how it ended, and what it moved.
    outcome: SeatOutcome,
    sent_bytes: f64,
    reads: Runs,
    writes: Runs,
}

struct Asked {
    by: u32,
    request: download::RequestNo,
    of: ChunkRanges,
    at: Nanos,
    /// Chunks given.
    given: Vec<ChunkNo>,
    /// Of these, taken.
    taken: usize,
    /// Bytes that wait in its stream.
    buffered: f64,
    /// The offer waits for the word that the last ones were handed over.
    unsaid: bool,
    ended: bool,
}

/// All that goes from one seat to another: one thing after the other.
struct Connection {
    from: u32,
    to: u32,
    flow: Option<FlowNo>,
    items: VecDeque<Item>,
    born: Nanos,
}

struct Item {
    asked: offer::RequestNo,
    request: download::RequestNo,
    chunks: Vec<ChunkNo>,
    bytes: f64,
}

struct Event {
    at: Nanos,
    number: u64,
    what: What,
}

enum What {
    Flow(Due),
    DownloadTimer(u32),
    OfferTimer(u32),
    Announce(u32),
    Join(u32),
    Leave(u32),
    Word(Box<Word>),
}

enum Word {
    Asked { by: u32, of: u32, request: download::RequestNo, ranges: ChunkRanges, take: u32 },
    Cancelled { by: u32, of: u32, request: download::RequestNo },
    Named { from: u32, to: u32, request: download::RequestNo, chunk: ChunkNo },
    Arrived { from: u32, to: u32, request: download::RequestNo, chunks: Vec<ChunkNo> },
    Taken { of: u32, asked: offer::RequestNo, chunks: Vec<ChunkNo> },
    Ended { from: u32, to: u32, request: download::RequestNo, end: RequestEnd },
    Subscribed { by: u32, of: u32 },
    Map { of: u32, to: u32, have: ChunkSet },
    News { of: u32, to: u32, set: ChunkRanges },
    Lost { seat: u32, by: u32 },
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Event {}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Event {
    /// The earliest is the greatest, as the heap wants it.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

fn peer(seat: u32) -> PeerId {
    let mut bytes = [seat as u8; 32];
    bytes[..4].copy_from_slice(&seat.to_be_bytes());
    PeerId::from_bytes(bytes)
}

fn seat_of(peer: PeerId) -> u32 {
    let bytes = peer.as_bytes();
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// A generator of numbers that are the same for the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// Below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }
}

impl Party {
    pub(crate) fn new(setting: Setting, start: Instant) -> Self {
        let mut dice = Dice(setting.seed);
        let mut net = Net::default();
        let uplinks = setting.uplink_bps.map(|bps| [net.add_link(bps), net.add_link(bps)]);
        let count = setting.lens.len() as u32;
        let mut nodes = Vec::with_capacity(setting.seats.len());
        for seat in &setting.seats {
            let mut have = ChunkSet::empty(count);
            for chunk in 0..count {
                let held = match seat.has {
                    Has::Nothing => false,
                    Has::All => true,
                    Has::Percent(percent) => dice.below(100) < u64::from(percent),
                };
                if held {
                    have.insert(ChunkNo(chunk));
                }
            }
            // Chance may have given it everything.
            let complete = have.is_full();
            let plan = Plan {
                chunk_lens: Arc::clone(&setting.lens),
                me: peer(nodes.len() as u32),
                have: have.clone(),
                wanted: ChunkSet::full(count),
                seed: dice.roll(),
                in_flight_max: IN_FLIGHT_MAX,
            };
            nodes.push(Node {
                seat: seat.clone(),
                ports: [net.add_link(seat.port_bps), net.add_link(seat.port_bps)],
                download: (!complete).then(|| Download::new(plan)),
                offer: Offer::new(Arc::clone(&setting.lens), have.clone(), dice.roll()),
                got: Vec::new(),
                have,
                told: 0,
                announce_due: false,
                quiet_until: 0,
                followers: Vec::new(),
                friends: Vec::new(),
                here: false,
                asked: HashMap::new(),
                by_getter: HashMap::new(),
                next_asked: 0,
                asking: HashMap::new(),
                download_timer: Nanos::MAX,
                offer_timer: Nanos::MAX,
                given: vec![0; count as usize],
                outcome: SeatOutcome {
                    joined: nanos(seat.joins),
                    done: complete.then(|| nanos(seat.joins)),
                    ..SeatOutcome::default()
                },
                sent_bytes: 0.0,
                reads: Runs::default(),
                writes: Runs::default(),
            });
        }
        let unfinished = nodes.iter().filter(|node| node.download.is_some() && node.seat.awaited).count();
        let mut party = Self {
            start,
            now: 0,
            net,
            uplinks,
            nodes,
            connections: Vec::new(),
            connection_of: HashMap::new(),
            by_flow: HashMap::new(),
            events: BinaryHeap::new(),
            next_event: 0,
            unfinished,
            outcome: Outcome::default(),
            dice: dice.clone(),
            trace: std::env::var_os("SIM_TRACE").is_some(),
            setting,
        };
        party.make_friends(&mut dice);
        party
    }

    /// Everybody has a link to everybody, or to as many as a runtime has links.
    fn make_friends(&mut self, dice: &mut Dice) {
        let count = self.nodes.len();
        let links_max = self.setting.links_max.min(count - 1);
        if links_max == count - 1 {
            for (seat, node) in self.nodes.iter_mut().enumerate() {
                node.friends = (0..count as u32).filter(|other| *other != seat as u32).collect();
            }
            return;
        }
        // Each dials others until half of its links are used; the other half is dialled by others.
        let mut known: Vec<HashSet<u32>> = vec![HashSet::new(); count];
        for seat in 0..count {
            let mut tries = 0;
            while known[seat].len() < links_max && tries < 8 * links_max {
                tries += 1;
                let other = dice.below(count as u64) as usize;
                if other != seat && known[other].len() < links_max {
                    known[seat].insert(other as u32);
                    known[other].insert(seat as u32);
                }
            }
        }
        for (node, known) in self.nodes.iter_mut().zip(known) {
            node.friends = known.into_iter().collect();
            node.friends.sort_unstable();
        }
    }

    /// Plays until everybody awaited is done, nothing moves any more, or the time is up.
    pub(crate) fn play(mut self) -> Outcome {
        for seat in 0..self.nodes.len() as u32 {
            let joins = nanos(self.node(seat).seat.joins);
            self.push(joins, What::Join(seat));
            for fault in self.node(seat).seat.faults.clone() {
                if let Fault::Away(from, to) = fault {
                    self.push(nanos(from), What::Leave(seat));
                    if let Some(to) = to {
                        // Its links must be given up before there are new ones: which of two counts is
                        // the business of the roster.
                        let given_up = nanos(from) + LOST_AFTER + LOST_AFTER / 10;
                        self.push(nanos(to).max(given_up), What::Join(seat));
                    }
                }
            }
        }
        let at_most = nanos(self.setting.at_most);
        while self.unfinished > 0 {
            let Some(event) = self.events.pop() else { break };
            if event.at > at_most {
                break;
            }
            self.now = event.at.max(self.now);
            self.on_event(event.what);
            if self.events.peek().is_none_or(|next| next.at > self.now) {
                self.settle_net();
            }
        }
        self.finish()
    }

    fn finish(mut self) -> Outcome {
        let mut outcome = std::mem::take(&mut self.outcome);
        outcome.all_done = self.unfinished == 0;
        outcome.ended = self.now;
        outcome.uplink_bytes = self.uplinks.map(|links| links.map(|link| self.net.carried(link)));
        for node in &mut self.nodes {
            node.outcome.sent_bytes = node.sent_bytes;
            if let Some(download) = &node.download {
                node.outcome.wasted_bytes = download.wasted_bytes() as f64;
                node.outcome.left_bytes = download.left_bytes();
            }
            if node.seat.faults.is_empty() {
                outcome.reads.add(&node.reads);
            }
            outcome.writes.add(&node.writes);
        }
        outcome.seats = self.nodes.iter().map(|node| node.outcome.clone()).collect();
        outcome
    }

    fn node(&mut self, seat: u32) -> &mut Node {
        &mut self.nodes[seat as usize]
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_nanos(self.now)
    }

    fn push(&mut self, at: Nanos, what: What) {
        self.next_event += 1;
        self.events.push(Event { at, number: self.next_event, what });
    }

    fn delay(&self, one: u32, other: u32) -> Nanos {
        nanos(self.nodes[one as usize].seat.delay + self.nodes[other as usize].seat.delay)
    }

    fn say(&mut self, after: Nanos, word: Word) {
        self.push(self.now + after, What::Word(Box::new(word)));
    }

    /// For words on streams of their own: no two machines are equally quick to speak.
    fn say_roughly(&mut self, after: Nanos, word: Word) {
        let jitter = self.dice.below(JITTER);
        self.say(after + jitter, word);
    }

    fn on_event(&mut self, what: What) {
        match what {
            What::Flow(due) => self.on_flow(due),
            What::DownloadTimer(seat) => {
                let now = self.instant();
                let node = self.node(seat);
                node.download_timer = Nanos::MAX;
                if let Some(download) = node.download.as_mut().filter(|_| node.here) {
                    if download.poll_timeout().is_some_and(|(at, _)| at <= now) {
                        download.handle_timeout(now);
                    }
                    self.after_download(seat);
                }
            }
            What::OfferTimer(seat) => {
                let now = self.instant();
                let node = self.node(seat);
                node.offer_timer = Nanos::MAX;
                if node.offer.poll_timeout().is_some_and(|(at, _)| at <= now) {
                    node.offer.handle_timeout(now);
                }
                self.after_offer(seat);
            }
            What::Announce(seat) => self.announce(seat),
            What::Join(seat) => self.join(seat),
            What::Leave(seat) => self.leave(seat, false),
            What::Word(word) => self.on_word(*word),
        }
    }

    fn settle_net(&mut self) {
        while !self.net.is_settled() {
            let (events, number) = (&mut self.events, &mut self.next_event);
            self.net.settle(self.now, |due| {
                *number += 1;
                events.push(Event { at: due.at, number: *number, what: What::Flow(due) });
            });
        }
    }
}

/// Who is here.
impl Party {
    fn join(&mut self, seat: u32) {
        if std::mem::replace(&mut self.node(seat).here, true) {
            return;
        }
        for other in self.node(seat).friends.clone() {
            if self.nodes[other as usize].here {
                self.introduce(seat, other);
                self.introduce(other, seat);
            }
        }
    }

    /// `to` learns of `of`.
    fn introduce(&mut self, of: u32, to: u32) {
        let round_trip = Duration::from_nanos(2 * self.delay(of, to));
        let complete = self.nodes[of as usize].have.is_full();
        self.tell(to, download::Input::SourceUp { peer: peer(of), complete, round_trip });
    }

    /// Goes, with a goodbye or by losing its network.
    fn leave(&mut self, seat: u32, goodbye: bool) {
        let node = self.node(seat);
        if !std::mem::replace(&mut node.here, false) {
            return;
        }
        // Its offer takes back what did not arrive.
        for asked in std::mem::take(&mut node.asked).into_values() {
            asked.given.iter().for_each(|chunk| node.given[chunk.index()] -= 1);
        }
        node.by_getter.clear();
        node.followers.clear();
        node.asking.clear();
        for other in node.friends.clone() {
            // What was on its way is lost; what was sent to it goes nowhere until its links are given up.
            self.break_off(seat, other);
            self.break_off(other, seat);
            self.tell(seat, download::Input::SourceDown { peer: peer(other) });
            let now = self.instant();
            self.node(seat).offer.handle_input(offer::Input::PeerGone { peer: peer(other) }, now);
            let lost_after = if goodbye { self.delay(seat, other) } else { LOST_AFTER };
            self.say(lost_after, Word::Lost { seat, by: other });
        }
        self.after_offer(seat);
        if self.trace {
            println!("{:9.4} {seat} leaves", self.seconds());
        }
    }

    fn on_lost(&mut self, seat: u32, by: u32) {
        let node = self.node(by);
        node.followers.retain(|follower| *follower != seat);
        let requests: Vec<_> = node.asked.iter().filter(|(_, asked)| asked.by == seat).map(|(no, _)| *no).collect();
        for no in requests {
            if let Some(asked) = self.node(by).asked.remove(&no) {
                self.node(by).by_getter.remove(&(seat, asked.request));
                self.drop_given(by, &asked.given);
            }
        }
        self.tell(by, download::Input::SourceDown { peer: peer(seat) });
        self.node(by).asking.retain(|_, of| *of != seat);
        self.offer(by, offer::Input::PeerGone { peer: peer(seat) });
    }

    fn break_off(&mut self, from: u32, to: u32) {
        let Some(number) = self.connection_of.get(&(from, to)).copied() else { return };
        let connection = &mut self.connections[number];
        connection.items.clear();
        connection.born = self.now;
        if let Some(flow) = connection.flow.take() {
            self.by_flow.remove(&flow.0);
            self.net.stop(flow, self.now);
        }
    }

    fn seconds(&self) -> f64 {
        self.now as f64 / 1e9
    }
}

/// Words between seats.
impl Party {
    fn on_word(&mut self, word: Word) {
        match word {
            Word::Asked { by, of, request, ranges, take } => self.on_asked(by, of, request, ranges, take),
            Word::Cancelled { by, of, request } => self.on_cancelled(by, of, request),
            Word::Named { from, to, request, chunk } => {
                if self.expects(to, request, from) {
                    self.tell(to, download::Input::ChunkNamed { request, chunk });
                }
            }
            Word::Arrived { from, to, request, chunks } => self.on_arrived(from, to, request, &chunks),
            Word::Taken { of, asked, chunks } => self.on_taken(of, asked, &chunks),
            Word::Ended { from, to, request, end } => {
                if self.expects(to, request, from) {
                    self.node(to).asking.remove(&request);
                    self.tell(to, download::Input::RequestEnded { request, end });
                }
            }
            Word::Subscribed { by, of } => {
                if self.nodes[of as usize].here {
                    let node = self.node(of);
                    node.followers.push(by);
                    let have = node.have.clone();
                    self.say(self.delay(by, of), Word::Map { of, to: by, have });
                }
            }
            Word::Map { of, to, have } => {
                if self.nodes[of as usize].followers.contains(&to) {
                    self.tell(to, download::Input::HaveMap { peer: peer(of), have });
                }
            }
            Word::News { of, to, set } => {
                let clear = ChunkRanges::default();
                self.tell(to, download::Input::HaveDelta { peer: peer(of), set, clear });
            }
            Word::Lost { seat, by } => self.on_lost(seat, by),
        }
    }

    fn expects(&self, seat: u32, request: download::RequestNo, from: u32) -> bool {
        let node = &self.nodes[seat as usize];
        node.here && node.asking.get(&request) == Some(&from)
    }

    fn on_asked(&mut self, by: u32, of: u32, request: download::RequestNo, ranges: ChunkRanges, take: u32) {
        self.outcome.requests += 1;
        let now = self.now;
        let node = self.node(of);
        if !node.here || node.seat.faults.contains(&Fault::Silent) {
            return;
        }
        let asked = offer::RequestNo(node.next_asked);
        node.next_asked += 1;
        node.by_getter.insert((by, request), asked);
        assert!(take >= 1 && u64::from(take) <= ranges.chunk_count(), "a request that makes sense");
        // Nothing is asked of a source that lacks it.
        assert!(ranges.iter().all(|chunk| node.have.contains(chunk)), "{of} is asked for what it lacks");
        let known = Asked {
            by,
            request,
            of: ranges.clone(),
            at: now,
            given: Vec::new(),
            taken: 0,
            buffered: 0.0,
            unsaid: false,
            ended: false,
        };
        node.asked.insert(asked, known);
        self.offer(of, offer::Input::Request { request: asked, peer: peer(by), of: ranges, take });
        let most = self.nodes[of as usize].offer.request_count();
        self.outcome.waiting_max = self.outcome.waiting_max.max(most);
        assert!(most <= offer::REQUESTS_MAX, "a line grows without bound");
    }

    fn on_cancelled(&mut self, by: u32, of: u32, request: download::RequestNo) {
        let Some(no) = self.node(of).by_getter.remove(&(by, request)) else { return };
        let Some(asked) = self.node(of).asked.remove(&no) else { return };
        self.drop_given(of, &asked.given);
        let now = self.now;
        if let Some(number) = self.connection_of.get(&(of, by)).copied() {
            let connection = &mut self.connections[number];
            let head = connection.items.front().is_some_and(|item| item.asked == no);
            if let Some((flow, item)) = connection.flow.zip(connection.items.front()).filter(|_| head) {
                let left = self.net.left(flow, now);
                self.outcome.cancelled_bytes += item.bytes - left;
                self.nodes[of as usize].sent_bytes += item.bytes - left;
            }
            connection.items.retain(|item| item.asked != no);
            if head {
                self.next_item(number);
            }
        }
        self.offer(of, offer::Input::Dropped { request: no });
    }

    fn on_arrived(&mut self, from: u32, to: u32, request: download::RequestNo, chunks: &[ChunkNo]) {
        if !self.expects(to, request, from) {
            // Cancelled while it was on its way.
            self.outcome.late_bytes +=
                chunks.iter().map(|chunk| f64::from(self.setting.lens[chunk.index()])).sum::<f64>();
            return;
        }
        let lies = self.nodes[from as usize].seat.faults.contains(&Fault::Liar);
        for (number, chunk) in chunks.iter().enumerate() {
            if number > 0 {
                if !self.expects(to, request, from) {
                    return;
                }
                self.tell(to, download::Input::ChunkNamed { request, chunk: *chunk });
            }
            if !self.expects(to, request, from) {
                return;
            }
            self.tell(to, download::Input::ChunkArrived { request, chunk: *chunk });
            if lies {
                self.outcome.bad += 1;
                self.tell(to, download::Input::ChunkBad { request, chunk: *chunk });
            } else {
                self.on_good(to, request, *chunk);
            }
        }
    }

    fn on_good(&mut self, seat: u32, request: download::RequestNo, chunk: ChunkNo) {
        let node = self.node(seat);
        node.writes.step(chunk.0);
        if node.have.insert(chunk) {
            node.got.push(chunk);
            self.offer(seat, offer::Input::Have { chunk });
            self.news(seat);
        }
        self.tell(seat, download::Input::ChunkVerified { request, chunk });
        let now = self.now;
        let node = self.node(seat);
        if node.outcome.done.is_none() && node.have.is_full() {
            node.outcome.done = Some(now);
            let (awaited, friends) = (node.seat.awaited, node.friends.clone());
            let download = node.download.as_ref().expect("who got a chunk is getting");
            assert_eq!(download.state(), download::State::Done);
            if self.trace {
                println!("{:9.4} {seat} is done", self.seconds());
            }
            self.unfinished -= usize::from(awaited);
            for friend in friends {
                if self.nodes[friend as usize].here {
                    self.introduce(seat, friend);
                }
            }
        }
    }

    fn on_taken(&mut self, of: u32, no: offer::RequestNo, chunks: &[ChunkNo]) {
        let lens = Arc::clone(&self.setting.lens);
        let Some(asked) = self.node(of).asked.get_mut(&no) else { return };
        let by = asked.by;
        asked.taken += chunks.len();
        asked.buffered -= chunks.iter().map(|chunk| f64::from(lens[chunk.index()])).sum::<f64>();
        let say = asked.unsaid && asked.buffered <= STREAM_BUFFER_BYTES;
        asked.unsaid &= !say;
        if asked.ended && asked.taken == asked.given.len() {
            let request = asked.request;
            self.node(of).asked.remove(&no);
            self.node(of).by_getter.remove(&(by, request));
            self.offer(of, offer::Input::Taken { request: no });
        }
        if say {
            self.offer(of, offer::Input::Sent { request: no });
        }
    }

    fn drop_given(&mut self, of: u32, chunks: &[ChunkNo]) {
        for chunk in chunks {
            self.node(of).given[chunk.index()] -= 1;
        }
    }

    fn news(&mut self, seat: u32) {
        let now = self.now;
        let node = self.node(seat);
        if !node.announce_due {
            node.announce_due = true;
            let at = node.quiet_until.max(now);
            self.push(at, What::Announce(seat));
        }
    }

    fn announce(&mut self, seat: u32) {
        let now = self.now;
        let node = self.node(seat);
        node.announce_due = false;
        if !node.here || node.told == node.got.len() {
            return;
        }
        node.quiet_until = now + HAVE_PAUSE;
        let mut news = node.got[node.told..].to_vec();
        node.told = node.got.len();
        news.sort_unstable();
        let set = ChunkRanges::from_preference(news);
        for to in node.followers.clone() {
            self.say_roughly(self.delay(seat, to), Word::News { of: seat, to, set: set.clone() });
        }
    }
}

/// What is on its way.
impl Party {
    fn send(&mut self, from: u32, no: offer::RequestNo, chunks: Vec<ChunkNo>) {
        let (now, lens) = (self.now, Arc::clone(&self.setting.lens));
        let bytes: f64 = chunks.iter().map(|chunk| f64::from(lens[chunk.index()])).sum();
        let node = self.node(from);
        let Some(asked) = node.asked.get_mut(&no) else { panic!("{from} sends to nobody") };
        let (to, request, at) = (asked.by, asked.request, asked.at);
        assert!(!chunks.is_empty() && !asked.unsaid, "one thing at a time");
        let again = |chunk: &ChunkNo| node.given[chunk.index()] > 0;
        if chunks.iter().all(again) {
            // What is given to different getters is disjoint while there is something that was never given.
            let fresh = asked.of.iter().find(|chunk| node.have.contains(*chunk) && !again(chunk));
            assert_eq!(fresh, None, "{from} gives {chunks:?} to {to} again");
        }
        asked.buffered += bytes;
        // The next one is chosen when this one begins to be written.
        let say = asked.buffered <= STREAM_BUFFER_BYTES;
        asked.unsaid = !say;
        for chunk in &chunks {
            assert!(asked.of.iter().any(|other| other == *chunk), "{from} sends what was not asked for");
            assert!(!asked.given.contains(chunk), "{from} sends {chunk} twice");
            assert!(node.have.contains(*chunk), "{from} sends what it lacks");
            asked.given.push(*chunk);
            node.given[chunk.index()] += 1;
            node.reads.step(chunk.0);
        }
        if self.trace {
            println!("{:9.4} {from} -> {to} {chunks:?} waited {:.3}", self.seconds(), (now - at) as f64 / 1e9);
        }
        let connections = &mut self.connections;
        let number = *self.connection_of.entry((from, to)).or_insert_with(|| {
            connections.push(Connection { from, to, flow: None, items: VecDeque::new(), born: 0 });
            connections.len() - 1
        });
        let connection = &mut self.connections[number];
        connection.items.push_back(Item { asked: no, request, chunks, bytes });
        if connection.flow.is_none() {
            self.next_item(number);
        }
        if say {
            self.offer(from, offer::Input::Sent { request: no });
        }
    }

    /// The first bytes of the next item go out, or the connection falls silent.
    fn next_item(&mut self, number: usize) {
        let now = self.now;
        let connection = &mut self.connections[number];
        let (from, to) = (connection.from, connection.to);
        let Some(item) = connection.items.front() else {
            if let Some(flow) = connection.flow.take() {
                self.by_flow.remove(&flow.0);
                self.net.stop(flow, now);
            }
            return;
        };
        let (bytes, request, chunk) = (item.bytes, item.request, item.chunks[0]);
        match connection.flow {
            Some(flow) => {
                let due = self.net.go_on(flow, bytes, now);
                self.push(due.at, What::Flow(due));
            }
            None => {
                let path = self.path(from, to);
                let flow = self.net.start(path, bytes, now);
                self.connections[number].flow = Some(flow);
                self.by_flow.insert(flow.0, number);
            }
        }
        self.say(self.delay(from, to), Word::Named { from, to, request, chunk });
    }

    fn path(&self, from: u32, to: u32) -> Vec<LinkNo> {
        let (from, to) = (&self.nodes[from as usize], &self.nodes[to as usize]);
        let mut path = vec![from.ports[0], to.ports[1]];
        if let Some(uplinks) = self.uplinks.filter(|_| from.seat.side != to.seat.side) {
            path.push(uplinks[from.seat.side]);
        }
        path
    }

    fn on_flow(&mut self, due: Due) {
        if self.net.version(due.flow) != due.version {
            return;
        }
        let Some(number) = self.by_flow.get(&due.flow.0).copied() else { return };
        let connection = &mut self.connections[number];
        let (from, to) = (connection.from, connection.to);
        let Some(item) = connection.items.pop_front() else { return };
        self.next_item(number);
        let delay = self.delay(from, to);
        let Item { asked, request, chunks, bytes } = item;
        self.node(from).sent_bytes += bytes;
        self.say(delay, Word::Arrived { from, to, request, chunks: chunks.clone() });
        let last = !self.connections[number].items.iter().any(|item| item.asked == asked);
        if last && self.node(from).asked.get(&asked).is_some_and(|asked| asked.ended) {
            self.say(delay, Word::Ended { from, to, request, end: RequestEnd::Done });
        }
        self.say(2 * delay, Word::Taken { of: from, asked, chunks });
        self.leave_after(from);
    }

    fn leave_after(&mut self, seat: u32) {
        let size: f64 = self.setting.lens.iter().map(|len| f64::from(*len)).sum();
        let sent = self.nodes[seat as usize].sent_bytes;
        let gone = self.nodes[seat as usize]
            .seat
            .faults
            .iter()
            .any(|fault| matches!(fault, Fault::LeavesAfter(copies) if sent >= copies * size));
        if gone {
            self.leave(seat, true);
        }
    }
}

/// The cores and what they say.
impl Party {
    fn tell(&mut self, seat: u32, input: download::Input) {
        let now = self.instant();
        if let Some(download) = &mut self.node(seat).download {
            download.handle_input(input, now);
            self.after_download(seat);
        }
    }

    fn after_download(&mut self, seat: u32) {
        while let Some(output) = self.node(seat).download.as_mut().and_then(Download::poll_output) {
            match output {
                download::Output::Subscribe { peer } => {
                    let of = seat_of(peer);
                    self.say_roughly(self.delay(seat, of), Word::Subscribed { by: seat, of });
                }
                download::Output::Unsubscribe { peer } => {
                    self.node(seat_of(peer)).followers.retain(|follower| *follower != seat);
                }
                download::Output::Request { request, peer, of, take } => {
                    let to = seat_of(peer);
                    let twice = self.node(seat).asking.insert(request, to);
                    assert!(twice.is_none(), "a number is used once");
                    let word = Word::Asked { by: seat, of: to, request, ranges: of, take };
                    self.say_roughly(self.delay(seat, to), word);
                }
                download::Output::CancelRequest { request } => {
                    if let Some(of) = self.node(seat).asking.remove(&request) {
                        self.say(self.delay(seat, of), Word::Cancelled { by: seat, of, request });
                    }
                }
                download::Output::StateChanged(_)
                | download::Output::ReportBad { .. }
                | download::Output::DropSource { .. } => {}
            }
        }
        let start = self.start;
        let node = self.node(seat);
        let at = node.download.as_ref().and_then(Download::poll_timeout).map(|(at, _)| since(start, at));
        if let Some(at) = at.filter(|at| *at < node.download_timer) {
            node.download_timer = at;
            self.push(at, What::DownloadTimer(seat));
        }
    }

    fn offer(&mut self, seat: u32, input: offer::Input) {
        let now = self.instant();
        self.node(seat).offer.handle_input(input, now);
        self.after_offer(seat);
    }

    fn after_offer(&mut self, seat: u32) {
        while let Some(output) = self.node(seat).offer.poll_output() {
            match output {
                offer::Output::Send { request, chunks } => {
                    // Cancelled by a word that the offer has still to hear.
                    if self.node(seat).asked.contains_key(&request) {
                        self.send(seat, request, chunks);
                    }
                }
                offer::Output::End { request } => self.end(seat, request, RequestEnd::Done),
                offer::Output::Refuse { request } => self.end(seat, request, RequestEnd::Busy),
            }
        }
        let start = self.start;
        let node = self.node(seat);
        let at = node.offer.poll_timeout().map(|(at, _)| since(start, at));
        if let Some(at) = at.filter(|at| *at < node.offer_timer) {
            node.offer_timer = at;
            self.push(at, What::OfferTimer(seat));
        }
    }

    fn end(&mut self, seat: u32, no: offer::RequestNo, end: RequestEnd) {
        let node = self.node(seat);
        let Some(asked) = node.asked.get_mut(&no) else { return };
        asked.ended = true;
        let (to, request) = (asked.by, asked.request);
        if asked.given.is_empty() {
            node.asked.remove(&no);
            node.by_getter.remove(&(to, request));
        }
        // The end of a stream comes behind what is in it: told when that has arrived.
        let behind = self.connection_of.get(&(seat, to)).map(|number| &self.connections[*number]);
        let waits = behind.is_some_and(|connection| connection.items.iter().any(|item| item.asked == no));
        if !waits {
            self.say(self.delay(seat, to), Word::Ended { from: seat, to, request, end });
        }
    }
}

fn nanos(time: Duration) -> Nanos {
    time.as_nanos() as Nanos
}

fn since(start: Instant, at: Instant) -> Nanos {
    nanos(at.saturating_duration_since(start))
}
