//! `serve --mirror`: what to get without being asked. It asks for each build once; what the user then
//! does with the transfer is the user's.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::{
    config::Mirror,
    core::library::{Library, Query, Resolved},
    types::{CollisionKey, ContentId, EntryState, GameId},
};

/// A room that comes up is let finish, so that the first peer to be heard does not decide.
const PAUSE: Duration = Duration::from_secs(3);

/// Which games are wanted, and what was asked for.
#[derive(Debug)]
pub(super) struct Mirroring {
    wanted: Wanted,
    changed: BTreeSet<GameId>,
    due: Option<Instant>,
    asked: BTreeMap<GameId, ContentId>,
}

#[derive(Debug)]
enum Wanted {
    Nothing,
    All,
    Listed(BTreeSet<CollisionKey>),
}

impl Mirroring {
    pub(super) fn new(mirror: &Mirror) -> Self {
        let wanted = match mirror {
            Mirror::Off => Wanted::Nothing,
            Mirror::All => Wanted::All,
            Mirror::List { games, .. } => Wanted::Listed(games.iter().map(|name| CollisionKey::of(name)).collect()),
        };
        Self { wanted, changed: BTreeSet::new(), due: None, asked: BTreeMap::new() }
    }

    /// The rows of these games changed.
    pub(super) fn mark(&mut self, games: &BTreeSet<GameId>, now: Instant) {
        if !matches!(self.wanted, Wanted::Nothing) && !games.is_empty() {
            self.changed.extend(games.iter().cloned());
            self.due.get_or_insert(now + PAUSE);
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The builds to get now.
    pub(super) fn take(&mut self, core: &Library, now: Instant) -> Vec<Resolved> {
        if self.due.is_none_or(|due| due > now) {
            return Vec::new();
        }
        self.due = None;
        let changed = std::mem::take(&mut self.changed);
        let found: Vec<Resolved> = changed.iter().filter_map(|game| self.wish(game, core)).collect();
        self.asked.extend(found.iter().map(|wish| (wish.key.game.clone(), wish.key.content)));
        found
    }

    fn wish(&self, game: &GameId, core: &Library) -> Option<Resolved> {
        let listed = match &self.wanted {
            Wanted::Nothing => false,
            Wanted::All => true,
            Wanted::Listed(names) => {
                names.contains(&game.collision_key()) || names.contains(&CollisionKey::of(&core.title(game)))
            }
        };
        if !listed {
            return None;
        }
        // Several builds, or none that may be got: nothing is got by itself. The faces show why.
        let query = Query { name: game.as_str(), version: None, content: None, from: None };
        let resolved = core.resolve(&query).ok()?;
        let row = core.row(game)?;
        let has_state = core.local_state(game).is_some();
        let wanted = if has_state { row.update == Some(resolved.key.content) } else { true };
        let offered = row.build(&resolved.key.content).is_some_and(|build| build.is_offered());
        let here = resolved.ours == Some(EntryState::Ready);
        let asked = self.asked.get(game) == Some(&resolved.key.content);
        (wanted && offered && !here && !asked).then_some(resolved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        core::library::{Facts, LocalBuild, LocalChange, Output, Rules},
        io::clock,
        types::{LibraryDigest, LibraryEntry, PeerId, Version},
    };

    fn line(id: &str, number: u8, version: &str) -> LibraryEntry {
        LibraryEntry {
            game: GameId::new(id).unwrap(),
            title: format!("The {id}"),
            version: Version::new(version).unwrap(),
            content: ContentId::from_bytes([number; 32]),
            size: 1,
            files: 1,
            installed: None,
            state: EntryState::Ready,
        }
    }

    /// What a mirror gets, with peers 1, 2, … offering these lines and game `here` being here at build 1.
    fn check(
        mirror: &Mirror,
        trusted: Option<u8>,
        here: Option<&str>,
        peers: &[&[LibraryEntry]],
        expect: &[(&str, u8)],
    ) {
        let now = clock::now();
        let rules =
            Rules { trusted: trusted.into_iter().map(|n| PeerId::from_bytes([n; 32])).collect(), ..Rules::default() };
        let mut core = Library::new(rules);
        if let Some(id) = here {
            let facts = Facts::of(&line(id, 1, "1")).unwrap();
            let build = LocalBuild { content: ContentId::from_bytes([1; 32]), facts };
            core.handle_local(&GameId::new(id).unwrap(), LocalChange::Complete(build), now);
        }
        for (number, lines) in (1u8..).zip(peers) {
            let peer = PeerId::from_bytes([number; 32]);
            core.handle_peer_up(peer, [10, 0, 0, number].into(), LibraryDigest::from_bytes([9; 32]), now);
            while let Some(output) = core.poll_output() {
                if let Output::Fetch { peer, fetch } = output {
                    core.handle_snapshot(&peer, fetch, LibraryDigest::from_bytes([9; 32]), lines.to_vec(), now);
                }
            }
        }
        let mut mirroring = Mirroring::new(mirror);
        mirroring.mark(&core.games(), now);
        assert_eq!(mirroring.take(&core, now), []);
        let later = now + PAUSE;
        let got = mirroring.take(&core, later);
        let got: Vec<_> = got.iter().map(|wish| (wish.key.game.as_str(), wish.key.content.as_bytes()[0])).collect();
        assert_eq!(got, expect);
        mirroring.mark(&core.games(), later);
        assert_eq!(mirroring.take(&core, later + PAUSE), [], "each is asked for once");
    }

    #[test]
    fn a_mirror_gets_what_is_listed_and_not_here_once() {
        let (a1, a2, b) = ([line("a", 1, "1")], [line("a", 2, "2")], [line("b", 3, "1")]);
        let variant = [line("a", 4, "1")];
        let list = |names: &[&str]| Mirror::List {
            file: "games.txt".into(),
            games: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        check(&Mirror::Off, None, None, &[&a1, &b], &[]);
        check(&Mirror::All, None, None, &[&a1, &b], &[("a", 1), ("b", 3)]);
        check(&list(&["B"]), None, None, &[&a1, &b], &[("b", 3)]);
        check(&list(&["the A"]), None, None, &[&a1, &b], &[("a", 1)]);
        check(&Mirror::All, None, Some("a"), &[&a1, &b], &[("b", 3)]);
        check(&Mirror::All, None, Some("a"), &[&a2], &[]);
        check(&Mirror::All, Some(1), Some("a"), &[&a2], &[("a", 2)]);
        check(&Mirror::All, None, None, &[&a1, &variant], &[]);
    }
}
