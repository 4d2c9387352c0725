//! The address book: where peers may be dialled, how each address was learnt, and when it may be
//! tried again. It knows nothing of links; the roster tells it which peers need no dial.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::types::PeerId;

/// Dials under way at once (design, section 6): a room's worth within seconds, and no scan.
pub const DIALS_MAX: usize = 16;
/// Between two dials of an address that only other peers vouch for: nobody can make us hammer it.
pub const TOLD_PAUSE: Duration = Duration::from_secs(60);
/// Addresses kept of one peer: two interfaces with two addresses each, twice.
const ADDRESSES_PER_PEER_MAX: usize = 8;
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
    /// Who answered there last, where the target does not say.
    found: Option<PeerId>,
}

/// All addresses.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<Target, Entry>,
    /// The last dial of a peer, for staggering.
    started: BTreeMap<PeerId, Instant>,
    /// The last dial of an address that was only told.
    told: BTreeMap<SocketAddr, Instant>,
}

impl Book {
    /// Remembers an address, to be dialled from `not_before` on. `false` if there is no room.
    pub(super) fn learn(&mut self, target: Target, source: Source, not_before: Instant) -> bool {
        if let Some(entry) = self.entries.get_mut(&target) {
            if source > entry.source {
                entry.source = source;
                entry.not_before = entry.not_before.min(not_before);
            }
            return true;
        }
        let of_peer = target.1.map_or(0, |peer| self.of(peer).count());
        if of_peer >= ADDRESSES_PER_PEER_MAX || self.entries.len() >= ADDRESSES_MAX {
            return false;
        }
        self.entries.insert(target, Entry { source, failures: 0, not_before, in_flight: false, found: None });
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

    /// The connection has become a link: the address is good.
    pub(super) fn admitted(&mut self, target: Target) {
        if let Some(entry) = self.entries.get_mut(&target) {
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
        let target = self.due(&skip).find(|(at, _)| *at <= now).map(|(_, target)| target)?;
        let entry = self.entries.get_mut(&target).expect("a due target is in the book");
        entry.in_flight = true;
        if entry.source == Source::Told {
            self.told.retain(|_, at| now.saturating_duration_since(*at) < TOLD_PAUSE);
            self.told.insert(target.0, now);
        }
        if let Some(peer) = target.1 {
            self.started.insert(peer, now);
        }
        Some(target)
    }

    /// When [`Self::next`] may have something.
    pub(super) fn next_at(&self, skip: impl Fn(PeerId) -> bool) -> Option<Instant> {
        self.due(&skip).map(|(at, _)| at).min()
    }

    fn due(&self, skip: &impl Fn(PeerId) -> bool) -> impl Iterator<Item = (Instant, Target)> {
        let in_flight = self.entries.values().filter(|entry| entry.in_flight).count();
        let free = in_flight < DIALS_MAX;
        self.entries.iter().filter_map(move |(target, entry)| {
            let peer = target.1.or(entry.found);
            if !free || entry.in_flight || peer.is_some_and(skip) {
                return None;
            }
            let mut at = entry.not_before;
            if entry.source == Source::Told {
                at = at.max(self.told.get(&target.0).map_or(at, |last| *last + TOLD_PAUSE));
            }
            if let Some(started) = target.1.and_then(|peer| self.started.get(&peer)) {
                at = at.max(*started + STAGGER);
            }
            Some((at, *target))
        })
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
    pub(super) fn tidy(&mut self, known: impl Fn(PeerId) -> bool) {
        self.started.retain(|peer, _| known(*peer));
    }
}
