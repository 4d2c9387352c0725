//! Who in the room holds what: game → build → holders, kept up to date line by line, so that a
//! change costs what changed and not what is known. Only peers that are here are in it.
//!
//! A room of 200 peers with thousands of games each has a million lines, so a line is small: builds
//! and peers are numbered, and what many peers say alike about a build is stored once.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use slab::Slab;

use crate::types::{ContentId, EntryState, GAMES_PER_PEER_MAX, GameId, LibraryEntry, PeerId, Tenths};

use super::{
    entry::{BuildKey, Facts},
    rules::Rules,
};

/// Builds of one game that one peer may list: what it has, what it is getting, and a few that lie
/// unfinished. More would only make a game's row long for everybody else.
const BUILDS_A_GAME_MAX: usize = 8;

/// A peer's number; free again when it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PeerNo(usize);

/// A build's number; free again when nobody lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct BuildNo(usize);

/// A peer that is here, and its lines.
#[derive(Debug)]
struct Row {
    id: PeerId,
    address: IpAddr,
    lines: BTreeMap<BuildNo, Line>,
    /// How many of the lines are whole.
    whole: usize,
}

/// What one peer says of one build.
#[derive(Debug, Clone)]
struct Line {
    claim: Arc<Facts>,
    state: EntryState,
}

/// How many support a build or a claim, in the order that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Votes {
    /// Addresses with a peer that holds all of it.
    whole: usize,
    /// Addresses with a peer that holds any of it.
    any: usize,
}

/// One build as the room sees it.
///
/// Invariant: it has a holder; `whole` is how many of its holders have all of it; each claim counts
/// its holders, and none is without one.
#[derive(Debug)]
pub(super) struct Build {
    no: BuildNo,
    key: BuildKey,
    holders: BTreeSet<PeerNo>,
    claims: Vec<(Arc<Facts>, usize)>,
    whole: usize,
}

impl Build {
    /// Peers that have all of it.
    pub(super) fn whole(&self) -> usize {
        self.whole
    }

    /// Peers that have some of it.
    pub(super) fn partial(&self) -> usize {
        self.holders.len() - self.whole
    }

    fn claim(&mut self, facts: Facts) -> Arc<Facts> {
        if let Some((claim, holders)) = self.claims.iter_mut().find(|(claim, _)| **claim == facts) {
            *holders += 1;
            return Arc::clone(claim);
        }
        let claim = Arc::new(facts);
        self.claims.push((Arc::clone(&claim), 1));
        claim
    }

    fn drop_claim(&mut self, claim: &Arc<Facts>) {
        let Some(at) = self.claims.iter().position(|(other, _)| Arc::ptr_eq(other, claim)) else { return };
        self.claims[at].1 -= 1;
        if self.claims[at].1 == 0 {
            self.claims.swap_remove(at);
        }
    }
}

/// What the lines of one peer add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSummary {
    /// Builds it has all of.
    pub games: usize,
    /// Title and share of one it is getting.
    pub getting: Option<(String, Tenths)>,
}

/// The room's builds.
#[derive(Debug, Default)]
pub(super) struct Index {
    games: BTreeMap<GameId, BTreeMap<ContentId, BuildNo>>,
    /// Removals name a ContentId only. More than one build has it when somebody lies.
    contents: BTreeMap<ContentId, Vec<BuildNo>>,
    builds: Slab<Build>,
    peers: Slab<Row>,
}

impl Index {
    pub(super) fn add_peer(&mut self, id: PeerId, address: IpAddr) -> PeerNo {
        PeerNo(self.peers.insert(Row { id, address, lines: BTreeMap::new(), whole: 0 }))
    }

    /// Takes a peer and its lines out; the games they were about go into `changed`.
    pub(super) fn remove_peer(&mut self, peer: PeerNo, changed: &mut BTreeSet<GameId>) {
        let lines: Vec<BuildNo> = self.peers[peer.0].lines.keys().copied().collect();
        for build in lines {
            self.remove_line(peer, build, changed);
        }
        self.peers.remove(peer.0);
    }

    /// The games a peer lists.
    pub(super) fn games_of(&self, peer: PeerNo) -> BTreeSet<GameId> {
        self.peers[peer.0].lines.keys().map(|build| self.builds[build.0].key.game.clone()).collect()
    }

    /// The games a peer has all of, in any build.
    pub(super) fn whole_games_of(&self, peer: PeerNo) -> BTreeSet<GameId> {
        let whole = self.peers[peer.0].lines.iter().filter(|(_, line)| line.state == EntryState::Ready);
        whole.map(|(build, _)| self.builds[build.0].key.game.clone()).collect()
    }

    pub(super) fn summary(&self, peer: PeerNo) -> PeerSummary {
        let row = &self.peers[peer.0];
        let getting = row.lines.values().find_map(|line| match line.state {
            EntryState::Ready => None,
            EntryState::Getting(tenths) => Some((line.claim.title.clone(), tenths)),
        });
        PeerSummary { games: row.whole, getting }
    }

    /// Makes `entries` the whole of a peer's lines; what is beyond the limits is left out.
    pub(super) fn replace(&mut self, peer: PeerNo, entries: Vec<LibraryEntry>, changed: &mut BTreeSet<GameId>) {
        let keep: BTreeSet<ContentId> = entries.iter().map(|entry| entry.content).collect();
        let gone: Vec<BuildNo> = self.peers[peer.0]
            .lines
            .keys()
            .filter(|build| !keep.contains(&self.builds[build.0].key.content))
            .copied()
            .collect();
        for build in gone {
            self.remove_line(peer, build, changed);
        }
        for entry in entries {
            self.upsert(peer, &entry, changed);
        }
    }

    /// Adds or changes a line; one beyond the limits is left out. A peer has one line a ContentId.
    pub(super) fn upsert(&mut self, peer: PeerNo, entry: &LibraryEntry, changed: &mut BTreeSet<GameId>) {
        let Some(facts) = Facts::of(entry) else { return };
        let existing = self.line_of(peer, &entry.content);
        if let Some(build) = existing {
            if self.builds[build.0].key.game == entry.game {
                self.change_line(peer, build, facts, entry.state, changed);
                return;
            }
            self.remove_line(peer, build, changed);
        }
        if self.has_room(peer, &entry.game) {
            let key = BuildKey { game: entry.game.clone(), content: entry.content };
            let build = self.intern(key);
            self.add_line(peer, build, facts, entry.state, changed);
        }
    }

    /// Takes a line out.
    pub(super) fn remove(&mut self, peer: PeerNo, content: &ContentId, changed: &mut BTreeSet<GameId>) {
        if let Some(build) = self.line_of(peer, content) {
            self.remove_line(peer, build, changed);
        }
    }

    /// The games somebody here lists.
    pub(super) fn ids(&self) -> impl Iterator<Item = &GameId> {
        self.games.keys()
    }

    /// The builds of a game that somebody here lists.
    pub(super) fn builds(&self, game: &GameId) -> impl Iterator<Item = (&ContentId, &Build)> {
        self.games.get(game).into_iter().flatten().map(|(content, build)| (content, &self.builds[build.0]))
    }

    /// The builds with this content: one, unless somebody lies.
    pub(super) fn builds_of(&self, content: &ContentId) -> impl Iterator<Item = &Build> {
        self.contents.get(content).into_iter().flatten().map(|build| &self.builds[build.0])
    }

    pub(super) fn build(&self, key: &BuildKey) -> Option<&Build> {
        self.games.get(&key.game)?.get(&key.content).map(|build| &self.builds[build.0])
    }

    /// The peers that have any of a build.
    pub(super) fn holders<'a>(&'a self, build: &'a Build) -> impl Iterator<Item = (PeerId, EntryState)> + 'a {
        self.lines(build).map(|(row, line)| (row.id, line.state))
    }

    /// How much a peer has of a build.
    pub(super) fn share_of(&self, peer: PeerNo, game: &GameId, content: &ContentId) -> Option<EntryState> {
        let build = self.games.get(game)?.get(content)?;
        self.peers[peer.0].lines.get(build).map(|line| line.state)
    }

    /// Whether a trusted peer lists it.
    pub(super) fn is_trusted(&self, build: &Build, rules: &Rules) -> bool {
        !rules.trusted.is_empty() && self.lines(build).any(|(row, _)| rules.trusted.contains(&row.id))
    }

    /// Support by addresses: a hundred keys behind one address are one voice.
    pub(super) fn votes(&self, build: &Build) -> Votes {
        count_votes(self.lines(build))
    }

    /// What to believe about a build nobody here has the manifest of: what a trusted peer says, else
    /// what most addresses say, and of equals the lower version, so that a loud number gains nothing.
    pub(super) fn believed(&self, build: &Build, rules: &Rules) -> Arc<Facts> {
        let support = |claim: &Arc<Facts>| {
            let same = || self.lines(build).filter(|(_, line)| line.claim.agrees_with(claim));
            (same().any(|(row, _)| rules.trusted.contains(&row.id)), count_votes(same()))
        };
        let best = match build.claims.as_slice() {
            [(only, _)] => Some(only),
            several => several
                .iter()
                .map(|(claim, _)| (support(claim), claim))
                .max_by(|(support_a, a), (support_b, b)| support_a.cmp(support_b).then_with(|| b.cmp(a)))
                .map(|(_, claim)| claim),
        };
        Arc::clone(best.expect("a build has a holder, and every holder a claim"))
    }

    /// What a build takes when it is installed, by what is said of it: by trusted peers, else by all that have all of it. One
    /// voice an address, and of them the middle one: half the room would have to lie for it to be far off.
    pub(super) fn installed(&self, build: &Build, rules: &Rules) -> Option<u64> {
        // What is found out comes of the build alone, so the honest agree.
        let mut said = build.claims.iter().filter_map(|(claim, _)| claim.installed);
        let first = said.next()?;
        if said.all(|bytes| bytes == first) {
            return Some(first);
        }
        let voices = |lines: &mut dyn Iterator<Item = (&Row, &Line)>| {
            let said = lines.filter_map(|(row, line)| Some((row.address, line.claim.installed?)));
            let mut bytes: Vec<u64> = said.collect::<BTreeMap<IpAddr, u64>>().into_values().collect();
            bytes.sort_unstable();
            bytes.get(bytes.len().saturating_sub(1) / 2).copied()
        };
        voices(&mut self.lines(build).filter(|(row, _)| rules.trusted.contains(&row.id)))
            .or_else(|| voices(&mut self.lines(build)))
    }

    fn lines<'a>(&'a self, build: &'a Build) -> impl Iterator<Item = (&'a Row, &'a Line)> + 'a {
        build.holders.iter().map(|peer| {
            let row = &self.peers[peer.0];
            (row, &row.lines[&build.no])
        })
    }

    fn line_of(&self, peer: PeerNo, content: &ContentId) -> Option<BuildNo> {
        let lines = &self.peers[peer.0].lines;
        self.contents.get(content)?.iter().find(|build| lines.contains_key(build)).copied()
    }

    fn has_room(&self, peer: PeerNo, game: &GameId) -> bool {
        let lines = &self.peers[peer.0].lines;
        let of_game = self.games.get(game).into_iter().flatten().filter(|(_, build)| lines.contains_key(build)).count();
        lines.len() < GAMES_PER_PEER_MAX && of_game < BUILDS_A_GAME_MAX
    }

    fn intern(&mut self, key: BuildKey) -> BuildNo {
        if let Some(build) = self.games.get(&key.game).and_then(|builds| builds.get(&key.content)) {
            return *build;
        }
        let slot = self.builds.vacant_entry();
        let no = BuildNo(slot.key());
        slot.insert(Build { no, key: key.clone(), holders: BTreeSet::new(), claims: Vec::new(), whole: 0 });
        self.contents.entry(key.content).or_default().push(no);
        self.games.entry(key.game).or_default().insert(key.content, no);
        no
    }

    fn add_line(&mut self, peer: PeerNo, no: BuildNo, facts: Facts, state: EntryState, changed: &mut BTreeSet<GameId>) {
        let build = &mut self.builds[no.0];
        let row = &mut self.peers[peer.0];
        let claim = build.claim(facts);
        build.holders.insert(peer);
        let whole = usize::from(state == EntryState::Ready);
        build.whole += whole;
        row.whole += whole;
        row.lines.insert(no, Line { claim, state });
        changed.insert(build.key.game.clone());
    }

    fn change_line(
        &mut self,
        peer: PeerNo,
        no: BuildNo,
        facts: Facts,
        state: EntryState,
        changed: &mut BTreeSet<GameId>,
    ) {
        let same = self.peers[peer.0].lines.get(&no).is_some_and(|line| line.state == state && *line.claim == facts);
        if !same {
            self.detach(peer, no);
            self.add_line(peer, no, facts, state, changed);
        }
    }

    fn remove_line(&mut self, peer: PeerNo, no: BuildNo, changed: &mut BTreeSet<GameId>) {
        self.detach(peer, no);
        changed.insert(self.builds[no.0].key.game.clone());
        if self.builds[no.0].holders.is_empty() {
            self.forget(no);
        }
    }

    /// Takes a line off both of its ends; the build may be left without holders for a moment.
    fn detach(&mut self, peer: PeerNo, no: BuildNo) {
        let Some(line) = self.peers[peer.0].lines.remove(&no) else { return };
        let whole = usize::from(line.state == EntryState::Ready);
        self.peers[peer.0].whole -= whole;
        let build = &mut self.builds[no.0];
        build.whole -= whole;
        build.holders.remove(&peer);
        build.drop_claim(&line.claim);
    }

    fn forget(&mut self, no: BuildNo) {
        let key = self.builds.remove(no.0).key;
        if let Some(builds) = self.contents.get_mut(&key.content) {
            builds.retain(|build| *build != no);
            if builds.is_empty() {
                self.contents.remove(&key.content);
            }
        }
        if let Some(builds) = self.games.get_mut(&key.game) {
            builds.remove(&key.content);
            if builds.is_empty() {
                self.games.remove(&key.game);
            }
        }
    }

    /// A peer's lines, as it would list them.
    #[cfg(test)]
    pub(super) fn lines_of(&self, peer: PeerNo) -> Vec<LibraryEntry> {
        let lines = self.peers[peer.0].lines.iter();
        lines.map(|(build, line)| line.claim.entry(&self.builds[build.0].key, None, line.state)).collect()
    }

    #[cfg(test)]
    pub(super) fn assert_invariants(&self) {
        let mut lines = 0;
        for (no, build) in &self.builds {
            assert_eq!(build.no, BuildNo(no), "a build has another's number");
            assert!(!build.holders.is_empty(), "a build without holders");
            assert_eq!(self.games[&build.key.game][&build.key.content], BuildNo(no), "a build is filed wrongly");
            assert!(self.contents[&build.key.content].contains(&BuildNo(no)), "a content is filed wrongly");
            let held: Vec<_> = self.lines(build).collect();
            let whole = held.iter().filter(|(_, line)| line.state == EntryState::Ready).count();
            assert_eq!(build.whole, whole, "whole holders are miscounted");
            assert_eq!(build.claims.iter().map(|(_, holders)| holders).sum::<usize>(), held.len(), "claims");
            lines += held.len();
        }
        assert_eq!(self.builds.len(), self.games.values().map(BTreeMap::len).sum::<usize>(), "builds and games differ");
        assert_eq!(
            self.builds.len(),
            self.contents.values().map(Vec::len).sum::<usize>(),
            "builds and contents differ"
        );
        assert_eq!(lines, self.peers.iter().map(|(_, row)| row.lines.len()).sum::<usize>(), "lines differ");
        for (_, row) in &self.peers {
            let whole = row.lines.values().filter(|line| line.state == EntryState::Ready).count();
            assert_eq!(row.whole, whole, "a peer's whole games are miscounted");
        }
    }
}

fn count_votes<'a>(lines: impl Iterator<Item = (&'a Row, &'a Line)>) -> Votes {
    let (mut whole, mut any) = (BTreeSet::new(), BTreeSet::new());
    for (row, line) in lines {
        any.insert(row.address);
        if line.state == EntryState::Ready {
            whole.insert(row.address);
        }
    }
    Votes { whole: whole.len(), any: any.len() }
}
