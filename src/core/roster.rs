//! Who is in the room: whom to dial, which links count, which of two stays, who is refused. Driven
//! by `runtime::links`, which dials, says Hello and closes as it is told here. The roster never sees
//! a stream, and what peers hold or want is not its business.
//!
//! A link goes through these states; `docs/states.md` has the table:
//!
//! ```text
//!   dialled ──► Greeting ── hello_ack ──┬──► Up ──────────────► closed
//!  accepted ──► Greeting ── hello ──────┤     │ a better link
//!                  │                    │     ▼
//!                  │ refused            └─► Draining ─ time ──► closed
//!                  ▼                    │
//!               closed ◄── the other ── Contested (same key, other nonce: does the old link live?)
//!                          run lives
//! ```

mod book;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use self::book::Book;
pub use self::{
    book::{DIALS_MAX, Source, TOLD_PAUSE, Target},
    words::{DialFailure, Ending, Greeting, LinkNo, Note, Output, Refusal, Row, Trouble},
};
use crate::types::{InstanceNonce, PeerId, PeerName};

/// Links of one PeerId, being made ones included.
pub const LINKS_PER_PEER_MAX: usize = 4;
/// Peers named in one message.
pub const TOLD_MAX: usize = 64;
/// Peers remembered without a link: what a screen scrolls through. The ones seen longest ago go.
const ABSENT_MAX: usize = 512;
/// How long a link that is not needed any more may finish what runs on it.
const DRAIN_TIME: Duration = Duration::from_secs(3);
/// Of two peers that hear of each other at once, the one with the higher id waits this long, so
/// that mostly one of them dials.
const YIELD_TIME: Duration = Duration::from_millis(300);
/// After a link's end, before the peer is dialled again.
const REDIAL_TIME: Duration = Duration::from_millis(500);
/// After a refusal: the reason does not go away by asking at once again.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);
/// After "busy", which does go away.
const BUSY_PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// Nothing was said yet.
    Greeting,
    /// Hello was said by a run of the key other than the one that has a session.
    Contested(Greeting),
    /// It counts.
    Up,
    /// It counts, but another one is used. The side with the lower id closes it at the time.
    Draining(Option<Instant>),
}

#[derive(Debug)]
struct LinkState {
    peer: PeerId,
    /// What we dialled; `None` if the peer did.
    dialled: Option<Target>,
    phase: Phase,
}

#[derive(Debug, Default)]
struct Peer {
    name: Option<PeerName>,
    listener: Option<SocketAddr>,
    /// Of the run that has a session.
    nonce: Option<InstanceNonce>,
    /// The link that carries the session.
    current: Option<LinkNo>,
    heard: bool,
    note: Option<Note>,
    /// When anything was last learnt of it, to forget the oldest.
    seen: Option<Instant>,
}

/// Who is in the room.
///
/// Invariants (checked after each mutation in debug builds): `current` is a link of that peer that is
/// `Up`; a peer with a link that is `Up` or `Draining` has a `current` one; at most
/// [`LINKS_PER_PEER_MAX`] links a peer and `links_max` in all; nobody blocked has a link.
#[derive(Debug)]
pub struct Roster {
    me: PeerId,
    nonce: InstanceNonce,
    links_max: usize,
    peers: BTreeMap<PeerId, Peer>,
    links: BTreeMap<LinkNo, LinkState>,
    blocked: BTreeSet<PeerId>,
    book: Book,
    outputs: VecDeque<Output>,
}

impl Roster {
    /// An empty room for so many links. `blocked` are the peers the user wants nothing of.
    #[must_use]
    pub fn new(me: PeerId, nonce: InstanceNonce, links_max: usize, blocked: BTreeSet<PeerId>) -> Self {
        Self {
            me,
            nonce,
            links_max,
            peers: BTreeMap::new(),
            links: BTreeMap::new(),
            blocked,
            book: Book::new(me),
            outputs: VecDeque::new(),
        }
    }

    /// The user gave an address: it is dialled at once, and again whenever nobody is linked there.
    pub fn handle_connect(&mut self, address: SocketAddr, now: Instant) {
        self.book.retry((address, None), now);
        self.settle(now);
    }

    /// mDNS heard a peer; `addresses` replace what it said before, best first.
    pub fn handle_heard(&mut self, peer: PeerId, name: PeerName, addresses: &[SocketAddr], now: Instant) {
        if peer == self.me {
            return;
        }
        self.book.forget(peer, Source::Heard, addresses);
        let not_before = if self.me > peer { now + YIELD_TIME } else { now };
        for address in addresses {
            self.book.learn((*address, Some(peer)), Source::Heard, not_before);
        }
        let entry = self.know(peer, now);
        let new = !entry.heard;
        entry.heard = true;
        if entry.name.is_none() {
            entry.name = Some(name);
        }
        if entry.listener.is_none() {
            entry.listener = addresses.first().copied();
        }
        if new {
            entry.note = None;
            self.book.hurry(peer, not_before);
        }
        self.settle(now);
    }

    /// The peer's mDNS announcement has ended.
    pub fn handle_unheard(&mut self, peer: PeerId, now: Instant) {
        self.book.forget(peer, Source::Heard, &[]);
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.heard = false;
            if entry.note == Some(Note::Unreachable) {
                entry.note = None;
            }
        }
        self.settle(now);
    }

    /// A peer told us of others. The driver has left out addresses we may not be aimed at.
    pub fn handle_told(&mut self, others: &[(PeerId, SocketAddr)], now: Instant) {
        for (peer, address) in others.iter().take(TOLD_MAX) {
            if *peer != self.me && !self.is_linked(*peer) && !self.blocked.contains(peer) {
                self.book.learn((*address, Some(*peer)), Source::Told, now);
            }
        }
        self.settle(now);
    }

    /// A dial brought a connection; nothing was said on it yet. The driver says Hello unless the
    /// link is closed by an output of this call.
    pub fn handle_dialled(&mut self, link: LinkNo, target: Target, peer: PeerId, now: Instant) {
        self.book.connected(target, peer, now);
        if self.is_linked(peer) || self.links.len() >= self.links_max {
            self.outputs.push_back(Output::CloseDuplicate(link));
        } else if self.blocked.contains(&peer) {
            self.outputs.push_back(Output::Close(link));
        } else {
            self.links.insert(link, LinkState { peer, dialled: Some(target), phase: Phase::Greeting });
        }
        self.settle(now);
    }

    /// A dial failed.
    pub fn handle_dial_failed(&mut self, target: Target, failure: DialFailure, now: Instant) {
        let first = self.book.failures(target) == 0;
        let pause = match failure {
            DialFailure::WrongPeer => REFUSED_PAUSE,
            DialFailure::Busy => BUSY_PAUSE,
            DialFailure::Silence | DialFailure::NotPotluck | DialFailure::NoRoute => Duration::ZERO,
        };
        let pause = if target.1.is_none() { Duration::ZERO } else { pause };
        self.book.failed(target, pause, now);
        match target.1 {
            None if first => self.trouble(Trouble::UserAddress { address: target.0, failure }),
            None => {}
            Some(peer) => self.on_unreached(peer),
        }
        self.settle(now);
    }

    /// A peer dialled us and proved its key. The driver waits for its Hello unless the link is
    /// refused by an output of this call.
    pub fn handle_accepted(&mut self, link: LinkNo, peer: PeerId, now: Instant) {
        if self.links.len() >= self.links_max || self.links_of(peer).count() >= LINKS_PER_PEER_MAX {
            self.outputs.push_back(Output::Refuse(link, Refusal::Busy));
        } else {
            self.links.insert(link, LinkState { peer, dialled: None, phase: Phase::Greeting });
        }
        self.settle(now);
    }

    /// Hello came over a link we accepted, or its answer over one we dialled. An output of this call
    /// or a later one admits, refuses or closes the link.
    pub fn handle_greeting(&mut self, link: LinkNo, greeting: Greeting, now: Instant) {
        let Some(state) = self.links.get(&link) else { return };
        let peer = state.peer;
        if peer == self.me {
            self.on_own(link, &greeting);
        } else if self.blocked.contains(&peer) {
            self.refuse(link, Refusal::Blocked);
        } else {
            let entry = self.know(peer, now);
            let rival = entry.current.filter(|_| entry.nonce != Some(greeting.nonce));
            match rival {
                Some(rival) => {
                    self.outputs.push_back(Output::Probe(rival));
                    self.links.get_mut(&link).expect("looked up above").phase = Phase::Contested(greeting);
                }
                None => self.on_greeted(link, peer, greeting, now),
            }
        }
        self.settle(now);
    }

    /// Whether anything came over a link since its [`Output::Probe`].
    pub fn handle_probed(&mut self, link: LinkNo, alive: bool, now: Instant) {
        let Some(peer) = self.links.get(&link).map(|state| state.peer) else { return };
        let Some(entry) = self.peers.get(&peer).filter(|entry| entry.current == Some(link)) else { return };
        let contested = self.contested(peer);
        if contested.is_empty() {
            return;
        }
        if alive {
            let first = entry.name.clone().zip(entry.listener);
            for (rival, greeting) in contested {
                self.refuse(rival, Refusal::Cloned { other: first.clone() });
                let second = Some((greeting.name, greeting.listener));
                self.trouble(Trouble::Cloned { peer, first: first.clone(), second });
            }
            self.peers.get_mut(&peer).expect("looked up above").note = Some(Note::Cloned);
        } else {
            // The links of the dead run go; the end of the last one admits the new run.
            let dead: Vec<_> = self.links_of(peer).filter(|(_, state)| state.counts()).map(|(link, _)| link).collect();
            for link in dead {
                self.outputs.push_back(Output::Close(link));
                self.on_ended(link, now);
            }
        }
        self.settle(now);
    }

    /// A link has ended, for whatever reason and in whatever state.
    pub fn handle_ended(&mut self, link: LinkNo, ending: &Ending, now: Instant) {
        let Some(state) = self.links.get(&link) else { return };
        let (peer, dialled, counted) = (state.peer, state.dialled, state.counts());
        self.on_ended(link, now);
        match ending {
            Ending::Closed | Ending::Silence if !counted => {
                if let Some(target) = dialled.filter(|_| !self.is_linked(peer)) {
                    self.book.failed(target, Duration::ZERO, now);
                }
            }
            Ending::Closed => {}
            Ending::Silence => self.outputs.push_back(Output::Verify(peer)),
            Ending::Refused(why) => self.on_refused(peer, dialled, why, now),
        }
        self.settle(now);
    }

    /// The peer says goodbye: it will not answer for a while.
    pub fn handle_goodbye(&mut self, peer: PeerId, now: Instant) {
        for source in [Source::Told, Source::Listener, Source::Heard] {
            self.book.forget(peer, source, &[]);
        }
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.heard = false;
        }
        self.close_all(peer, now);
        self.book.lost(peer, now + BUSY_PAUSE);
        self.settle(now);
    }

    /// The user blocks a peer, or no longer does.
    pub fn handle_block(&mut self, peer: PeerId, block: bool, now: Instant) {
        if block {
            self.blocked.insert(peer);
            self.know(peer, now);
            let links: Vec<_> = self.links_of(peer).map(|(link, _)| link).collect();
            for link in links {
                self.outputs.push_back(Output::Refuse(link, Refusal::Blocked));
                self.on_ended(link, now);
            }
        } else if self.blocked.remove(&peer) {
            self.book.hurry(peer, now);
        }
        self.settle(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let drained: Vec<_> = self
            .links
            .iter()
            .filter(|(_, state)| matches!(state.phase, Phase::Draining(Some(at)) if at <= now))
            .map(|(link, _)| *link)
            .collect();
        for link in drained {
            self.outputs.push_back(Output::CloseDuplicate(link));
            self.on_ended(link, now);
        }
        self.settle(now);
    }

    /// When [`Self::handle_timeout`] is next due, and why. Call after each `handle_*`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let drain = self.links.values().filter_map(|state| match state.phase {
            Phase::Draining(at) => at,
            Phase::Greeting | Phase::Contested(_) | Phase::Up => None,
        });
        let need_none = self.need_no_dial();
        let full = self.links.len() >= self.links_max;
        let dial = if full { None } else { self.book.next_at(|peer| need_none.contains(&peer)) };
        drain.map(|at| (at, "drain")).chain(dial.map(|at| (at, "dial"))).min()
    }

    /// What to do; call until `None` after each `handle_*`.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The room, peers with a session and those without, then addresses where nobody answers.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        let peers = self.peers.iter().map(|(id, peer)| Row {
            peer: Some(*id),
            name: peer.name.clone(),
            address: peer.listener,
            link: peer.current,
            links: self.links_of(*id).filter(|(_, state)| state.counts()).count(),
            blocked: self.blocked.contains(id),
            note: peer.note,
        });
        let nameless = self.book.nameless().map(|(address, failures)| Row {
            peer: None,
            name: None,
            address: Some(address),
            link: None,
            links: 0,
            blocked: false,
            note: (failures > 0).then_some(Note::Silent),
        });
        peers.chain(nameless)
    }

    /// The blocked peers, to be kept.
    #[must_use]
    pub fn blocked(&self) -> &BTreeSet<PeerId> {
        &self.blocked
    }

    /// The peers with a session.
    pub fn online(&self) -> impl Iterator<Item = (PeerId, LinkNo)> {
        self.peers.iter().filter_map(|(id, peer)| peer.current.map(|link| (*id, link)))
    }

    // ---- links ----

    /// A link of the run that has the session, or of the first one, has said Hello.
    fn on_greeted(&mut self, link: LinkNo, peer: PeerId, greeting: Greeting, now: Instant) {
        let dialled = self.links[&link].dialled;
        let dialled_by_us = dialled.is_some();
        self.book.admitted(peer, dialled);
        let lower = self.me < peer;
        let rival = self.peers[&peer].current;
        let rival_by_us = rival.map(|rival| self.links[&rival].dialled.is_some());
        match (rival.zip(rival_by_us), dialled_by_us) {
            // Two of our own dials: the first stays.
            (Some((_, true)), true) => return self.close_duplicate(link, now),
            // Ours stays because our id is lower, and the peer has it too: it answered Hello on it.
            (Some((_, true)), false) if lower => return self.close_duplicate(link, now),
            // The peer's dial stays, because its id is lower; ours waits to be closed by it.
            (Some((_, false)), true) if !lower => self.set_phase(link, Phase::Draining(None)),
            // Another link of the same dialler, which will close one of them.
            (Some((_, false)), false) => self.set_phase(link, Phase::Up),
            // The new one takes over; the side with the lower id closes the old one.
            (Some((old, _)), _) => {
                self.set_phase(old, Phase::Draining(lower.then(|| now + DRAIN_TIME)));
                self.set_phase(link, Phase::Up);
                self.peers.get_mut(&peer).expect("known").current = Some(link);
            }
            (None, _) => self.set_phase(link, Phase::Up),
        }
        let entry = self.peers.get_mut(&peer).expect("known since its greeting");
        let before = entry.current;
        entry.name = Some(greeting.name);
        entry.listener = Some(greeting.listener);
        entry.nonce = Some(greeting.nonce);
        entry.note = None;
        self.book.learn((greeting.listener, Some(peer)), Source::Listener, now);
        self.outputs.push_back(Output::Admit(link));
        match (rival, before) {
            (None, _) => {
                entry.current = Some(link);
                self.outputs.push_back(Output::PeerUp(peer, link));
                self.introduce(peer);
            }
            (Some(old), Some(current)) if current != old => self.outputs.push_back(Output::PeerLink(peer, current)),
            (Some(_), _) => {}
        }
    }

    /// The link is gone; whatever hung on it moves.
    fn on_ended(&mut self, link: LinkNo, now: Instant) {
        let Some(state) = self.links.remove(&link) else { return };
        let peer = state.peer;
        let Some(entry) = self.peers.get_mut(&peer).filter(|entry| entry.current == Some(link)) else { return };
        entry.seen = Some(now);
        let next = self.links.iter().find(|(_, state)| state.peer == peer && state.counts()).map(|(link, _)| *link);
        entry.current = next;
        if let Some(next) = next {
            self.set_phase(next, Phase::Up);
            self.outputs.push_back(Output::PeerLink(peer, next));
            return;
        }
        entry.nonce = None;
        self.outputs.push_back(Output::PeerDown(peer));
        let lead = if self.me > peer { YIELD_TIME } else { Duration::ZERO };
        self.book.lost(peer, now + REDIAL_TIME + lead);
        // The run that was held up by the dead one comes in.
        let mut waiting = self.contested(peer).into_iter();
        if let Some((link, greeting)) = waiting.next() {
            self.on_greeted(link, peer, greeting, now);
        }
        for (link, greeting) in waiting {
            self.handle_greeting(link, greeting, now);
        }
    }

    fn on_own(&mut self, link: LinkNo, greeting: &Greeting) {
        let dialled = self.links[&link].dialled;
        if greeting.nonce == self.nonce {
            if let Some(target) = dialled {
                self.book.remove(target);
                self.trouble(Trouble::Ourselves { address: target.0 });
            }
            return self.refuse(link, Refusal::Own);
        }
        let second = Some((greeting.name.clone(), greeting.listener));
        self.trouble(Trouble::Cloned { peer: self.me, first: None, second });
        self.refuse(link, Refusal::Cloned { other: None });
    }

    fn on_refused(&mut self, peer: PeerId, dialled: Option<Target>, why: &Refusal, now: Instant) {
        let Some(target) = dialled else { return };
        let pause = match why {
            Refusal::Busy => BUSY_PAUSE,
            Refusal::Blocked | Refusal::Own | Refusal::Cloned { .. } | Refusal::Other => REFUSED_PAUSE,
        };
        self.book.failed(target, pause, now);
        let note = match why {
            Refusal::Busy => return,
            Refusal::Other => Some(Note::OtherVersion),
            Refusal::Blocked => Some(Note::BlockedUs),
            Refusal::Cloned { .. } => Some(Note::Cloned),
            Refusal::Own => {
                self.book.remove(target);
                return self.trouble(Trouble::Ourselves { address: target.0 });
            }
        };
        let entry = self.know(peer, now);
        if entry.note != note {
            entry.note = note;
            self.trouble(Trouble::Refused { peer, why: why.clone() });
        }
    }

    /// No address of the peer has answered: say so, once.
    fn on_unreached(&mut self, peer: PeerId) {
        let all_failed = self.book.of(peer).all(|(_, _, failures)| failures > 0);
        if !all_failed || self.is_linked(peer) {
            return;
        }
        let Some(entry) = self.peers.get_mut(&peer) else { return };
        let note = if entry.heard { Note::Unreachable } else { Note::Silent };
        if entry.note.replace(note) != Some(note) && entry.heard {
            let name = entry.name.clone().unwrap_or_else(|| PeerName::new(&peer.short()));
            self.trouble(Trouble::Unreachable { peer, name });
        }
    }

    fn close_all(&mut self, peer: PeerId, now: Instant) {
        let links: Vec<_> = self.links_of(peer).map(|(link, _)| link).collect();
        for link in links {
            self.outputs.push_back(Output::Close(link));
            self.on_ended(link, now);
        }
    }

    fn close_duplicate(&mut self, link: LinkNo, now: Instant) {
        self.outputs.push_back(Output::CloseDuplicate(link));
        self.on_ended(link, now);
    }

    /// Only links that do not count yet are refused: nothing hangs on them.
    fn refuse(&mut self, link: LinkNo, why: Refusal) {
        self.links.remove(&link);
        self.outputs.push_back(Output::Refuse(link, why));
    }

    fn set_phase(&mut self, link: LinkNo, phase: Phase) {
        self.links.get_mut(&link).expect("only links of the map change").phase = phase;
    }

    fn contested(&self, peer: PeerId) -> Vec<(LinkNo, Greeting)> {
        let contested = |(link, state): (LinkNo, &LinkState)| match &state.phase {
            Phase::Contested(greeting) => Some((link, greeting.clone())),
            Phase::Greeting | Phase::Up | Phase::Draining(_) => None,
        };
        self.links_of(peer).filter_map(contested).collect()
    }

    fn links_of(&self, peer: PeerId) -> impl Iterator<Item = (LinkNo, &LinkState)> {
        self.links.iter().filter(move |(_, state)| state.peer == peer).map(|(link, state)| (*link, state))
    }

    // ---- the room ----

    /// Tells the new peer of the others, and of it those who cannot have heard it themselves.
    fn introduce(&mut self, peer: PeerId) {
        let Some(listener) = self.peers[&peer].listener else { return };
        let newcomer_heard = self.peers[&peer].heard;
        let mut others = Vec::new();
        let mut tellings = Vec::new();
        for (other, entry) in &self.peers {
            if *other == peer || entry.current.is_none() || (newcomer_heard && entry.heard) {
                continue;
            }
            tellings.push(Output::Tell(*other, vec![(peer, listener)]));
            if let Some(listener) = entry.listener
                && others.len() < TOLD_MAX
            {
                others.push((*other, listener));
            }
        }
        if !others.is_empty() {
            self.outputs.push_back(Output::Tell(peer, others));
        }
        self.outputs.extend(tellings);
    }

    fn is_linked(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|entry| entry.current.is_some())
    }

    /// Ourselves, those the user wants nothing of, and those to whom there is a link, or may be soon.
    fn need_no_dial(&self) -> BTreeSet<PeerId> {
        let linked = self.links.values().map(|state| state.peer);
        linked.chain(self.blocked.iter().copied()).chain([self.me]).collect()
    }

    fn know(&mut self, peer: PeerId, now: Instant) -> &mut Peer {
        if !self.peers.contains_key(&peer) && self.peers.len() >= ABSENT_MAX {
            let absent = |(id, entry): &(&PeerId, &Peer)| entry.current.is_none() && !self.blocked.contains(*id);
            let oldest = self.peers.iter().filter(absent).min_by_key(|(_, entry)| entry.seen).map(|(id, _)| *id);
            if let Some(oldest) = oldest {
                self.peers.remove(&oldest);
            }
        }
        let entry = self.peers.entry(peer).or_default();
        entry.seen = Some(now);
        entry
    }

    fn trouble(&mut self, trouble: Trouble) {
        self.outputs.push_back(Output::Trouble(trouble));
    }

    /// After every mutation: dial whoever may be dialled.
    fn settle(&mut self, now: Instant) {
        let need_none = self.need_no_dial();
        while self.links.len() < self.links_max {
            let Some(target) = self.book.next(|peer| need_none.contains(&peer), now) else { break };
            self.outputs.push_back(Output::Dial(target));
        }
        self.book.tidy();
        self.assert_invariants();
    }

    fn assert_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        assert!(self.links.len() <= self.links_max, "links are bounded");
        let mut links_of: BTreeMap<PeerId, Vec<&LinkState>> = BTreeMap::new();
        for state in self.links.values() {
            links_of.entry(state.peer).or_default().push(state);
        }
        for (id, peer) in &self.peers {
            let links = links_of.remove(id).unwrap_or_default();
            assert!(links.len() <= LINKS_PER_PEER_MAX + DIALS_MAX, "links of a peer are bounded");
            assert!(links.is_empty() || !self.blocked.contains(id) || links.iter().all(|state| !state.counts()));
            match peer.current {
                Some(current) => assert_eq!(self.links[&current].phase, Phase::Up, "the session's link is up"),
                None => assert!(!links.iter().any(|state| state.counts()), "a link that counts has a session"),
            }
        }
    }
}

impl LinkState {
    /// Hello was said and nothing speaks against it.
    fn counts(&self) -> bool {
        match self.phase {
            Phase::Up | Phase::Draining(_) => true,
            Phase::Greeting | Phase::Contested(_) => false,
        }
    }
}

#[cfg(test)]
mod tests;
