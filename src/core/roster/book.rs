//! The address book: where peers may be dialled, how each address was learnt, when it may be tried
//! again, and which one is next. It knows nothing of links; the roster tells it which peers need no
//! dial.
//!
//! An address where nobody answers keeps its place for 4 s, and there are few places. So they are
//! shared out: first tries and further ones each have some that the other kind cannot take, a peer
//! has few at a time, and who has had fewest dials is next.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::types::PeerId;

/// Dials under way at once (design, section 6): a room's worth within seconds, and no scan.
pub const DIALS_MAX: usize = 16;
/// Of these, first tries take no more than this, and neither do further ones: a room full of addresses that
/// went dead leaves places for who has just come, and a flood of new ones leaves some for who comes back.
const DIALS_OF_A_KIND_MAX: usize = 12;
/// Places that only an address somebody typed may take: he waits for it.
const USER_PLACES: usize = 2;
/// Dials of one peer under way at once, so that a few with many dead addresses do not have all places.
const DIALS_PER_PEER_MAX: usize = 4;
/// Between two dials of an address that only other peers vouch for: nobody can make us hammer it.
pub const TOLD_PAUSE: Duration = Duration::from_secs(60);
/// Addresses kept of one peer: as many as one announcement may have.
const ADDRESSES_PER_PEER_MAX: usize = 16;
/// Addresses kept in all: a room of 256 seats with four each.
const ADDRESSES_MAX: usize = 1_024;
/// After a first failure; doubled after each further one.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// A peer that comes back is found within this.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// A user waits for the address he typed: it is tried more often.
const USER_PAUSE_MAX: Duration = Duration::from_secs(15);
/// After so many failures in a row an address is forgotten that neither the user nor mDNS vouches for.
const HEARSAY_FAILURES_MAX: u32 = 6;
/// The next address of the same peer is tried after this, while the first one is still thinking.
const STAGGER: Duration = Duration::from_millis(250);

/// What is dialled: an address, and who has to answer there; `None` takes whoever does.
pub type Target = (SocketAddr, Option<PeerId>);

/// How an address was learnt. The later ones are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Another peer said so.
    Told,
    /// The peer said so when it dialled us.
    Listener,
    /// Heard by mDNS.
    Heard,
    /// The user typed it.
    User,
}

#[derive(Debug)]
struct Entry {
    source: Source,
    failures: u32,
    not_before: Instant,
    in_flight: bool,
    /// When it was last learnt.
    heard: Instant,
    /// Who answered there last, where the target does not say.
    found: Option<PeerId>,
}

/// What a peer has had of the places.
#[derive(Debug, Clone, Copy)]
struct Turns {
    /// The last dial, for staggering.
    last: Instant,
    /// Dials since the last good news of it.
    taken: u32,
}

/// Who is next: the least first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Never tried, or answered when it was. Whose turn it is goes around between the peers; of two that had as
    /// many, the one whose address is better known or was heard of later. Of equals each machine begins with
    /// those whose ids follow its own, so that of two that hear of each other in a crowd one soon calls.
    First {
        typed: Reverse<bool>,
        turns: u32,
        source: Reverse<Source>,
        heard: Reverse<Instant>,
        around: (bool, Option<PeerId>),
    },
    /// It failed. The one that is due for longest.
    Again { typed: Reverse<bool>, due: Instant },
}

/// Dials under way.
#[derive(Debug, Default)]
struct UnderWay {
    first: usize,
    again: usize,
    of_peer: BTreeMap<PeerId, usize>,
}

/// All addresses.
#[derive(Debug)]
pub(super) struct Book {
    me: PeerId,
    entries: BTreeMap<Target, Entry>,
    turns: BTreeMap<PeerId, Turns>,
    /// The last dial of an address that was only told.
    told: BTreeMap<SocketAddr, Instant>,
}

impl Book {
    /// An empty one. Everybody's order is another, by `me`.
    pub(super) fn new(me: PeerId) -> Self {
        Self { me, entries: BTreeMap::new(), turns: BTreeMap::new(), told: BTreeMap::new() }
    }

    /// Remembers an address, to be dialled from `not_before` on. `false` if there is no room.
    pub(super) fn learn(&mut self, target: Target, source: Source, not_before: Instant) -> bool {
        if let Some(entry) = self.entries.get_mut(&target) {
            if source >= entry.source {
                entry.heard = entry.heard.max(not_before);
            }
            if source > entry.source {
                entry.source = source;
                entry.not_before = entry.not_before.min(not_before);
            }
            return true;
        }
        if !self.make_room(target.1, source) {
            return false;
        }
        let entry = Entry { source, failures: 0, not_before, in_flight: false, heard: not_before, found: None };
        self.entries.insert(target, entry);
        true
    }

    /// Room for an address of `peer`. Where there is none, a worse one goes: one that is less well known, one
    /// that failed, or one of a peer with many more of them.
    fn make_room(&mut self, peer: Option<PeerId>, source: Source) -> bool {
        let of_peer = peer.map_or(0, |peer| self.of(peer).count());
        let only = if of_peer >= ADDRESSES_PER_PEER_MAX {
            peer
        } else if self.entries.len() >= ADDRESSES_MAX {
            None
        } else {
            return true;
        };
        let mut counts: BTreeMap<Option<PeerId>, usize> = BTreeMap::new();
        for (_, of) in self.entries.keys() {
            *counts.entry(*of).or_default() += 1;
        }
        let known = |entry: &Entry| (entry.source, Reverse(entry.failures));
        let can_go = |(target, entry): &(&Target, &Entry)| {
            let crowds = source >= entry.source && counts[&target.1] > of_peer + 1;
            !entry.in_flight && (only.is_none() || target.1 == only) && (known(entry) < (source, Reverse(0)) || crowds)
        };
        let worst = self.entries.iter().filter(can_go);
        let worst = worst.min_by_key(|(target, entry)| (known(entry), Reverse(counts[&target.1]), entry.heard));
        let Some(worst) = worst.map(|(target, _)| *target) else { return false };
        self.entries.remove(&worst);
        true
    }

    /// Forgets what was learnt of a peer from `source` and is not in `keep`.
    pub(super) fn forget(&mut self, peer: PeerId, source: Source, keep: &[SocketAddr]) {
        self.entries.retain(|(address, expect), entry| {
            *expect != Some(peer) || entry.source != source || entry.in_flight || keep.contains(address)
        });
    }

    /// The user asks again: an address that waits is tried at once.
    pub(super) fn retry(&mut self, target: Target, now: Instant) {
        match self.entries.get_mut(&target) {
            Some(entry) => (entry.failures, entry.not_before, entry.source) = (0, now, Source::User),
            None => drop(self.learn(target, Source::User, now)),
        }
    }

    /// Dials of a target that failed since the last that did not.
    pub(super) fn failures(&self, target: Target) -> u32 {
        self.entries.get(&target).map_or(0, |entry| entry.failures)
    }

    /// Forgets an address altogether.
    pub(super) fn remove(&mut self, target: Target) {
        self.entries.remove(&target);
    }

    /// The peer may be dialled at once: something new was heard of it.
    pub(super) fn hurry(&mut self, peer: PeerId, not_before: Instant) {
        self.turns.remove(&peer);
        for entry in self.entries.iter_mut().filter(|(target, _)| target.1 == Some(peer)).map(|(_, entry)| entry) {
            if entry.source >= Source::Heard {
                entry.failures = 0;
                entry.not_before = entry.not_before.min(not_before);
            }
        }
    }

    /// The peer's link has ended: all its addresses may be tried from `not_before` on.
    pub(super) fn lost(&mut self, peer: PeerId, not_before: Instant) {
        for (target, entry) in &mut self.entries {
            if target.1 == Some(peer) || entry.found == Some(peer) {
                entry.not_before = entry.not_before.max(not_before);
            }
        }
    }

    /// The dial brought a connection to `peer`.
    pub(super) fn connected(&mut self, target: Target, peer: PeerId, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&target) {
            entry.in_flight = false;
            entry.found = Some(peer);
            entry.not_before = now + PAUSE_FIRST;
        }
    }

    /// A connection has become a link: the peer is there, and so is the address, if we dialled.
    pub(super) fn admitted(&mut self, peer: PeerId, dialled: Option<Target>) {
        self.turns.remove(&peer);
        if let Some(entry) = dialled.and_then(|target| self.entries.get_mut(&target)) {
            entry.failures = 0;
        }
    }

    /// The dial failed, or the peer there will not have us: it is tried again after a pause, at
    /// least `pause`.
    pub(super) fn failed(&mut self, target: Target, pause: Duration, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&target) {
            entry.in_flight = false;
            let most = if entry.source == Source::User { USER_PAUSE_MAX } else { PAUSE_MAX };
            let doubled = PAUSE_FIRST.saturating_mul(1 << entry.failures.min(10)).min(most);
            entry.failures = entry.failures.saturating_add(1);
            entry.not_before = now + doubled.max(pause);
            if entry.source <= Source::Listener && entry.failures >= HEARSAY_FAILURES_MAX {
                self.entries.remove(&target);
            }
        }
    }

    /// The next target to dial now. `skip` says which peers need none.
    pub(super) fn next(&mut self, skip: impl Fn(PeerId) -> bool, now: Instant) -> Option<Target> {
        let due = self.due(&skip).filter(|(at, ..)| *at <= now);
        let (_, target, _) = due.min_by_key(|(_, target, entry)| self.rank(target, entry))?;
        let entry = self.entries.get_mut(&target).expect("a due target is in the book");
        entry.in_flight = true;
        if entry.source == Source::Told {
            self.told.retain(|_, at| now.saturating_duration_since(*at) < TOLD_PAUSE);
            self.told.insert(target.0, now);
        }
        if let Some(peer) = target.1 {
            let turns = self.turns.entry(peer).or_insert(Turns { last: now, taken: 0 });
            *turns = Turns { last: now, taken: turns.taken.saturating_add(1) };
        }
        Some(target)
    }

    /// When [`Self::next`] may have something.
    pub(super) fn next_at(&self, skip: impl Fn(PeerId) -> bool) -> Option<Instant> {
        self.due(&skip).map(|(at, ..)| at).min()
    }

    /// Addresses for which there is a place, and when each may be dialled.
    fn due(&self, skip: &impl Fn(PeerId) -> bool) -> impl Iterator<Item = (Instant, Target, &Entry)> {
        let under_way = UnderWay::of(&self.entries);
        self.entries.iter().filter_map(move |(target, entry)| {
            let peer = target.1.or(entry.found);
            if entry.in_flight || !under_way.leave_a_place(target.1, entry) || peer.is_some_and(skip) {
                return None;
            }
            let mut at = entry.not_before;
            if entry.source == Source::Told {
                at = at.max(self.told.get(&target.0).map_or(at, |last| *last + TOLD_PAUSE));
            }
            if let Some(turns) = target.1.and_then(|peer| self.turns.get(&peer)) {
                at = at.max(turns.last + STAGGER);
            }
            Some((at, *target, entry))
        })
    }

    fn rank(&self, target: &Target, entry: &Entry) -> Rank {
        let typed = Reverse(entry.source == Source::User);
        if entry.failures > 0 {
            return Rank::Again { typed, due: entry.not_before };
        }
        let turns = target.1.and_then(|peer| self.turns.get(&peer)).map_or(0, |turns| turns.taken);
        let around = (target.1 <= Some(self.me), target.1);
        Rank::First { typed, turns, source: Reverse(entry.source), heard: Reverse(entry.heard), around }
    }

    /// The addresses of a peer, as (address, source, failures).
    pub(super) fn of(&self, peer: PeerId) -> impl Iterator<Item = (SocketAddr, Source, u32)> {
        self.entries
            .iter()
            .filter(move |(target, _)| target.1 == Some(peer))
            .map(|(target, entry)| (target.0, entry.source, entry.failures))
    }

    /// Addresses the user typed at which nobody is known, and whether they failed.
    pub(super) fn nameless(&self) -> impl Iterator<Item = (SocketAddr, u32)> {
        self.entries
            .iter()
            .filter(|(target, entry)| target.1.is_none() && entry.found.is_none())
            .map(|(target, entry)| (target.0, entry.failures))
    }

    /// Forgets for good what nothing points to any more.
    pub(super) fn tidy(&mut self) {
        // Each peer with a turn had an address; mostly it still has.
        if self.turns.len() > self.entries.len() {
            let peers: BTreeSet<_> = self.entries.keys().filter_map(|(_, peer)| *peer).collect();
            self.turns.retain(|peer, _| peers.contains(peer));
        }
    }
}

impl UnderWay {
    fn of(entries: &BTreeMap<Target, Entry>) -> Self {
        let mut under_way = Self::default();
        for (target, entry) in entries.iter().filter(|(_, entry)| entry.in_flight) {
            *if entry.failures > 0 { &mut under_way.again } else { &mut under_way.first } += 1;
            if let Some(peer) = target.1 {
                *under_way.of_peer.entry(peer).or_default() += 1;
            }
        }
        under_way
    }

    fn leave_a_place(&self, peer: Option<PeerId>, entry: &Entry) -> bool {
        let all = self.first + self.again;
        if entry.source == Source::User {
            return all < DIALS_MAX;
        }
        let of_kind = if entry.failures > 0 { self.again } else { self.first };
        let of_peer = peer.and_then(|peer| self.of_peer.get(&peer)).copied().unwrap_or(0);
        all < DIALS_MAX - USER_PLACES && of_kind < DIALS_OF_A_KIND_MAX && of_peer < DIALS_PER_PEER_MAX
    }
}
