//! What we hold and what every peer of the room holds: which games there are, in which builds, who
//! has them, which of them is meant, what we announce and when we ask others what they have.
//!
//! `runtime::library` drives it: it scans folders, carries messages and snapshots, and tells the
//! faces. Nothing here reads a disk or knows how a line is written on the wire.

mod announce;
mod digest;
mod entry;
mod index;
mod latest;
mod local;
mod resolve;
mod rules;
mod sync;

#[cfg(test)]
mod tests;

pub use self::{
    digest::{digest, digest_of_nothing},
    entry::{BuildKey, Delta, Facts},
    index::PeerSummary,
    latest::{BuildRow, GameRow},
    local::{Changes, Growing, LocalBuild, LocalChange, LocalGame, LocalState, Progress},
    resolve::{NamedGame, Query, ResolveError, Resolved},
    rules::{Listed, Rules},
    sync::FetchNo,
};

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use self::{
    announce::{Announcer, News},
    index::{Index, PeerNo},
    local::Local,
    sync::Sync,
};
use crate::types::{ContentId, EntryState, GameId, LibraryDigest, LibraryEntry, PeerId};

/// Snapshots asked for at once: enough that one silent peer delays nobody, few enough that a room
/// that comes up at once costs 16 MiB at most.
const FETCHES_MAX: usize = 16;
/// Peers that left are shown this long.
const LEFT_KEPT: Duration = Duration::from_secs(15 * 60);
/// And never more of them than this.
const LEFT_MAX: usize = 64;

/// Something to do or to know, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// What Hello says of our library from now on.
    Digest(LibraryDigest),
    /// Tell this peer the digest of our library.
    SummaryTo {
        /// Whom.
        peer: PeerId,
        /// Our digest.
        digest: LibraryDigest,
    },
    /// Tell every peer the digest of our library: too much changed for a delta.
    Summary(LibraryDigest),
    /// Tell every peer what changed.
    Delta(Delta),
    /// Ask a peer for its snapshot; answer with `handle_snapshot` or `handle_snapshot_failed`.
    Fetch {
        /// Whom.
        peer: PeerId,
        /// To be given back with the answer.
        fetch: FetchNo,
    },
    /// A peer left, and what that means for the room.
    Left {
        /// Who.
        peer: PeerId,
        /// How many games it listed.
        games: usize,
        /// Those of them that nobody has any more, we included.
        lost: Vec<GameId>,
    },
    /// Rows of these games and summaries of these peers are new.
    Changed {
        /// Games.
        games: BTreeSet<GameId>,
        /// Peers.
        peers: BTreeSet<PeerId>,
    },
}

/// A peer that is here.
#[derive(Debug)]
struct Here {
    no: PeerNo,
    sync: Sync,
}

/// A peer that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Games it listed.
    pub games: usize,
    /// When it left.
    pub since: Instant,
}

/// The library of this machine and of the room.
#[derive(Debug, Default)]
pub struct Library {
    rules: Rules,
    local: Local,
    index: Index,
    announcer: Announcer,
    here: BTreeMap<PeerId, Here>,
    left: BTreeMap<PeerId, Left>,
    fetches: u64,
    outputs: VecDeque<Output>,
    changed_games: BTreeSet<GameId>,
    changed_peers: BTreeSet<PeerId>,
}

impl Library {
    /// An empty library in an empty room.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// New rules; every row may be another now.
    pub fn handle_rules(&mut self, rules: Rules, now: Instant) {
        self.rules = rules;
        let local: Vec<GameId> = self.local.ids().cloned().collect();
        for game in &local {
            self.announcer.on_dirty(game, now);
        }
        self.changed_games.extend(local);
        self.changed_games.extend(self.index.ids().cloned());
        self.changed_peers.extend(self.here.keys());
    }

    /// A scan, a commit or a removal found out something about a game's folder.
    pub fn handle_local(&mut self, game: &GameId, change: LocalChange, now: Instant) {
        self.local.on_change(game, change);
        self.on_local_changed(game, now);
    }

    /// What a build of ours takes when it is installed, in bytes, was found out.
    pub fn handle_weighed(&mut self, game: &GameId, content: &ContentId, installed: u64, now: Instant) {
        self.local.on_weighed(game, content, installed);
        self.on_local_changed(game, now);
    }

    /// A transfer began or got further.
    pub fn handle_growing(&mut self, game: &GameId, content: ContentId, growing: Growing, now: Instant) {
        self.local.on_growing(game, content, growing);
        self.on_local_changed(game, now);
    }

    /// A transfer was committed, or what it had was discarded.
    pub fn handle_growing_ended(&mut self, game: &GameId, content: &ContentId, now: Instant) {
        self.local.on_growing_ended(game, content);
        self.on_local_changed(game, now);
    }

    /// A session with a peer stands; `said` is the digest of its Hello.
    pub fn handle_peer_up(&mut self, peer: PeerId, address: IpAddr, said: LibraryDigest, now: Instant) {
        self.take_out(&peer);
        self.left.remove(&peer);
        let no = self.index.add_peer(peer, address.to_canonical());
        self.here.insert(peer, Here { no, sync: Sync::new(digest_of_nothing(), said, now) });
        self.changed_peers.insert(peer);
        // Our Hello was written before this moment: what changed since then must not be missed.
        self.outputs.push_back(Output::SummaryTo { peer, digest: self.announcer.digest() });
        self.start_fetches(now);
    }

    /// The last link of a session is gone.
    pub fn handle_peer_down(&mut self, peer: &PeerId, now: Instant) {
        let Some(games) = self.take_out(peer) else { return };
        let lost = games.iter().filter(|game| !self.knows(game)).cloned().collect();
        self.outputs.push_back(Output::Left { peer: *peer, games: games.len(), lost });
        self.changed_peers.insert(*peer);
        self.left.insert(*peer, Left { games: games.len(), since: now });
        while self.left.len() > LEFT_MAX
            && let Some(oldest) =
                self.left.iter().min_by_key(|(peer, left)| (left.since, **peer)).map(|(peer, _)| *peer)
        {
            self.left.remove(&oldest);
            self.changed_peers.insert(oldest);
        }
        self.start_fetches(now);
    }

    /// A peer said which state its library is in.
    pub fn handle_summary(&mut self, peer: &PeerId, said: LibraryDigest, now: Instant) {
        if let Some(here) = self.here.get_mut(peer) {
            here.sync.on_summary(said, now);
        }
    }

    /// A peer said what changed in its library.
    pub fn handle_delta(&mut self, peer: &PeerId, delta: &Delta, now: Instant) {
        let Some(here) = self.here.get_mut(peer) else { return };
        if here.sync.on_delta(delta, now) {
            let no = here.no;
            self.apply(no, delta);
            self.changed_peers.insert(*peer);
        }
    }

    /// The snapshot asked for by [`Output::Fetch`].
    pub fn handle_snapshot(
        &mut self,
        peer: &PeerId,
        fetch: FetchNo,
        digest: LibraryDigest,
        entries: Vec<LibraryEntry>,
        now: Instant,
    ) {
        let Some(here) = self.here.get_mut(peer) else { return };
        if let Some(on_top) = here.sync.on_snapshot(fetch, digest, now) {
            let no = here.no;
            self.index.replace(no, entries, &mut self.changed_games);
            for delta in on_top {
                self.apply(no, &delta);
            }
            self.changed_peers.insert(*peer);
        }
        self.start_fetches(now);
    }

    /// The snapshot asked for by [`Output::Fetch`] did not come, or was not one.
    pub fn handle_snapshot_failed(&mut self, peer: &PeerId, fetch: FetchNo, now: Instant) {
        if let Some(here) = self.here.get_mut(peer) {
            here.sync.on_fetch_failed(fetch, now);
        }
        self.start_fetches(now);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(news) = self.announcer.on_timeout(&self.local, &self.rules, now) {
            self.outputs.push_back(Output::Digest(self.announcer.digest()));
            self.outputs.push_back(match news {
                News::Delta(delta) => Output::Delta(delta),
                News::Summary(digest) => Output::Summary(digest),
            });
        }
        self.start_fetches(now);
        let stale = self.left.extract_if(.., |_, left| left.since + LEFT_KEPT <= now);
        self.changed_peers.extend(stale.map(|(peer, _)| peer));
    }

    /// When to call [`Self::handle_timeout`] next, and why.
    #[must_use = "the library waits for this moment"]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let announce = self.announcer.due().map(|at| (at, "announce our library"));
        let fetch = (self.fetching() < FETCHES_MAX)
            .then(|| self.here.values().filter_map(|here| here.sync.due()).min())
            .flatten()
            .map(|at| (at, "ask for a peer's library"));
        let left = self.left.values().map(|left| (left.since + LEFT_KEPT, "forget a peer that left")).min();
        announce.into_iter().chain(fetch).chain(left).min()
    }

    /// What there is to do; call again after each until `None`, after every other call.
    #[must_use = "what is polled is gone from the queue"]
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        if self.changed_games.is_empty() && self.changed_peers.is_empty() {
            return None;
        }
        let games = std::mem::take(&mut self.changed_games);
        let peers = std::mem::take(&mut self.changed_peers);
        Some(Output::Changed { games, peers })
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The digest of what we announce, and the lines it is of: the snapshot for whoever asks.
    pub fn snapshot(&self) -> (LibraryDigest, impl Iterator<Item = &LibraryEntry>) {
        (self.announcer.digest(), self.announcer.told())
    }

    /// Whether the room has been told of everything that changed here.
    #[must_use]
    pub fn is_announced(&self) -> bool {
        self.announcer.due().is_none()
    }

    /// Games of ours the room is not told of because it would be too many.
    #[must_use]
    pub fn left_out(&self) -> &BTreeSet<GameId> {
        self.announcer.left_out()
    }

    /// Every game we or the room know, except those the catalog's gate hides.
    #[must_use]
    pub fn games(&self) -> BTreeSet<GameId> {
        let room = self.index.ids().filter(|game| self.rules.allow(game));
        self.local.ids().chain(room).cloned().collect()
    }

    /// Everything known of a game; `None` when nothing is.
    #[must_use]
    pub fn row(&self, game: &GameId) -> Option<GameRow> {
        latest::row(game, &self.local, &self.index, &self.rules)
    }

    /// The builds of a game, higher versions first.
    #[must_use]
    pub fn builds(&self, game: &GameId) -> Vec<BuildRow> {
        latest::builds(game, &self.local, &self.index, &self.rules)
    }

    /// The name of a game for people.
    #[must_use]
    pub fn title(&self, game: &GameId) -> String {
        if let Some(title) = self.rules.title(game) {
            return title.to_owned();
        }
        let ours = self.local.get(game).and_then(LocalGame::held).map(|(build, _)| build.facts.title.clone());
        let believed = || {
            let (_, build) = self.index.builds(game).max_by_key(|(_, build)| build.whole())?;
            Some(self.index.believed(build, &self.rules).title.clone())
        };
        ours.or_else(believed).unwrap_or_else(|| game.as_str().to_owned())
    }

    /// What our own folder holds of a game.
    #[must_use]
    pub fn local(&self, game: &GameId) -> Option<&LocalGame> {
        self.local.get(game)
    }

    /// What the folder of one of our own games is.
    #[must_use]
    pub fn local_state(&self, game: &GameId) -> Option<&LocalState> {
        self.local.get(game)?.state()
    }

    /// Our own games.
    pub fn local_games(&self) -> impl Iterator<Item = (&GameId, &LocalGame)> {
        self.local.ids().filter_map(|game| Some((game, self.local.get(game)?)))
    }

    /// Another game of ours whose folder would be the same on a case-folding file system: while it is
    /// there, nothing may be put under `game`.
    #[must_use]
    pub fn twin_of<'a>(&'a self, game: &'a GameId) -> Option<&'a GameId> {
        self.local.twins(game).next()
    }

    /// The game of ours because of which `game`, though ours too, is not announced.
    #[must_use]
    pub fn announced_twin(&self, game: &GameId) -> Option<&GameId> {
        self.local.announced_twin(game)
    }

    /// The peers here that have any of a build, and how much.
    #[must_use]
    pub fn holders(&self, key: &BuildKey) -> Vec<(PeerId, EntryState)> {
        self.index.build(key).map(|build| self.index.holders(build).collect()).unwrap_or_default()
    }

    /// The same by content alone: whoever has the content can give it, whatever game it says it is of.
    #[must_use]
    pub fn holders_of(&self, content: &ContentId) -> Vec<(PeerId, EntryState)> {
        self.index.builds_of(content).flat_map(|build| self.index.holders(build)).collect()
    }

    /// The peers here that have nothing of a game.
    #[must_use]
    pub fn without(&self, game: &GameId) -> Vec<PeerId> {
        let builds = self.index.builds(game);
        let with: BTreeSet<PeerId> =
            builds.flat_map(|(_, build)| self.index.holders(build)).map(|(peer, _)| peer).collect();
        self.here.keys().filter(|peer| !with.contains(peer)).copied().collect()
    }

    /// The games a peer has all of and we hold nothing of, and those we share and it has nothing of; `None` for a peer
    /// that is not here.
    #[must_use]
    pub fn compare(&self, peer: &PeerId) -> Option<(Vec<GameId>, Vec<GameId>)> {
        let no = self.here.get(peer)?.no;
        let theirs = self.index.games_of(no);
        let ours = |game: &GameId| self.local.get(game).is_some_and(|local| local.held().is_some());
        let mut more: Vec<GameId> = self.index.whole_games_of(no).into_iter().collect();
        more.retain(|game| self.rules.allow(game) && !ours(game));
        let lacks = self.local.ids().filter(|game| ours(game) && self.rules.allow(game) && !theirs.contains(*game));
        Some((more, lacks.cloned().collect()))
    }

    /// How many peers here have all of some build of a game: of the build that most have.
    #[must_use]
    pub fn whole_holders(&self, game: &GameId) -> usize {
        self.index.builds(game).map(|(_, build)| build.whole()).max().unwrap_or(0)
    }

    /// How much a peer has of a build; `None` when nothing.
    #[must_use]
    pub fn share_of(&self, peer: &PeerId, game: &GameId, content: &ContentId) -> Option<EntryState> {
        self.index.share_of(self.here.get(peer)?.no, game, content)
    }

    /// What a peer's lines add up to; `None` for a peer that is not here.
    #[must_use]
    pub fn peer(&self, peer: &PeerId) -> Option<PeerSummary> {
        Some(self.index.summary(self.here.get(peer)?.no))
    }

    /// Peers that left a short while ago.
    #[must_use]
    pub fn left(&self) -> &BTreeMap<PeerId, Left> {
        &self.left
    }

    fn knows(&self, game: &GameId) -> bool {
        self.local.get(game).is_some() || self.index.builds(game).next().is_some()
    }

    fn on_local_changed(&mut self, game: &GameId, now: Instant) {
        let twins: Vec<GameId> = self.local.twins(game).cloned().collect();
        for game in twins.into_iter().chain([game.clone()]) {
            self.announcer.on_dirty(&game, now);
            self.changed_games.insert(game);
        }
    }

    /// Takes a peer that is here out of the room; the games it listed.
    fn take_out(&mut self, peer: &PeerId) -> Option<BTreeSet<GameId>> {
        let here = self.here.remove(peer)?;
        let games = self.index.games_of(here.no);
        self.index.remove_peer(here.no, &mut self.changed_games);
        Some(games)
    }

    fn apply(&mut self, no: PeerNo, delta: &Delta) {
        for content in &delta.removals {
            self.index.remove(no, content, &mut self.changed_games);
        }
        for entry in &delta.upserts {
            self.index.upsert(no, entry, &mut self.changed_games);
        }
    }

    fn fetching(&self) -> usize {
        self.here.values().filter(|here| here.sync.is_fetching()).count()
    }

    /// Asks for the snapshots that are due, those that waited longest first.
    fn start_fetches(&mut self, now: Instant) {
        let free = FETCHES_MAX.saturating_sub(self.fetching());
        let mut due: Vec<(Instant, PeerId)> =
            self.here.iter().filter_map(|(peer, here)| Some((here.sync.due()?, *peer))).collect();
        due.retain(|(at, _)| *at <= now);
        due.sort_unstable();
        for (_, peer) in due.into_iter().take(free) {
            let Some(here) = self.here.get_mut(&peer) else { continue };
            self.fetches += 1;
            let fetch = FetchNo(self.fetches);
            here.sync.on_fetch(fetch, now);
            self.outputs.push_back(Output::Fetch { peer, fetch });
        }
    }
}
