//! The games of our own library folder and what of them may be announced.

use std::collections::BTreeMap;

use crate::types::{CollisionKey, ContentId, EntryState, GameId, LibraryEntry, PayloadPath, Tenths};

use super::{
    entry::{BuildKey, Facts},
    rules::Rules,
};

/// Contents of one game that grow or lie unfinished side by side: one update, and a few that were
/// cancelled and kept. More than that is a loop, not a wish.
const GROWING_MAX: usize = 8;
/// Changed paths remembered by name; the screen shows a few and `verify` lists them all.
const CHANGED_PATHS_MAX: usize = 16;

/// A build we have the manifest of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalBuild {
    /// Its content.
    pub content: ContentId,
    /// What its manifest says, under our title.
    pub facts: Facts,
}

/// How far a check is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes read.
    pub done: u64,
    /// Bytes to read.
    pub total: u64,
}

/// Which files differ from the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    count: usize,
    first: Vec<PayloadPath>,
}

impl Changes {
    /// Remembers how many, and the first few by name.
    #[must_use]
    pub fn new(paths: impl IntoIterator<Item = PayloadPath>) -> Self {
        let mut changes = Self::default();
        for path in paths {
            changes.count += 1;
            if changes.first.len() < CHANGED_PATHS_MAX {
                changes.first.push(path);
            }
        }
        changes
    }

    /// How many files differ.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first few of them.
    #[must_use]
    pub fn first(&self) -> &[PayloadPath] {
        &self.first
    }
}

/// What the folder of a game is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalState {
    /// Files are being read and compared. What was known before stays announced: the have-map says
    /// chunk by chunk what is served meanwhile.
    Checking {
        /// How far.
        progress: Progress,
        /// What the folder was before.
        held: Option<(LocalBuild, EntryState)>,
    },
    /// Every file is as its manifest says.
    Complete(LocalBuild),
    /// Some files differ from the manifest; the chunks that match are served.
    Modified {
        /// The build it was.
        build: LocalBuild,
        /// What differs.
        changes: Changes,
        /// How much still matches.
        matching: Tenths,
    },
    /// Here for its owner only.
    Private {
        /// Why it is not shared.
        reason: String,
        /// What it is, as far as that can be said.
        facts: Option<Facts>,
        /// The build that is installed, where its payload was dropped: there is nothing else of it.
        installed: Option<ContentId>,
    },
    /// Could not be read, with the reason and the remedy.
    Failed(String),
}

/// What a scan, a commit or a removal found out about a game's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalChange {
    /// Reading began or went on.
    Checking(Progress),
    /// As its manifest says.
    Complete(LocalBuild),
    /// As its manifest says, except for some files.
    Modified {
        /// The build it was.
        build: LocalBuild,
        /// What differs.
        changes: Changes,
        /// How much still matches.
        matching: Tenths,
    },
    /// Not for sharing.
    Private {
        /// Why not.
        reason: String,
        /// What it is, as far as that can be said.
        facts: Option<Facts>,
        /// The build that is installed, where its payload was dropped.
        installed: Option<ContentId>,
    },
    /// Not readable, with the reason.
    Failed(String),
    /// The folder, or its sentinel, is gone.
    Gone,
}

/// A build whose chunks are coming, or came and wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growing {
    /// What its manifest says.
    pub facts: Facts,
    /// How much is here.
    pub tenths: Tenths,
}

/// One game of ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalGame {
    state: Option<LocalState>,
    growing: BTreeMap<ContentId, Growing>,
}

impl LocalGame {
    /// What its folder is; `None` while nothing but unfinished chunks are there.
    #[must_use]
    pub fn state(&self) -> Option<&LocalState> {
        self.state.as_ref()
    }

    /// What is coming or waits unfinished.
    #[must_use]
    pub fn growing(&self) -> &BTreeMap<ContentId, Growing> {
        &self.growing
    }

    /// The committed build and how much of it is as it should be.
    #[must_use]
    pub fn held(&self) -> Option<(&LocalBuild, EntryState)> {
        match self.state.as_ref()? {
            LocalState::Complete(build) => Some((build, EntryState::Ready)),
            LocalState::Modified { build, matching, .. } => Some((build, EntryState::Getting(*matching))),
            LocalState::Checking { held, .. } => held.as_ref().map(|(build, state)| (build, *state)),
            LocalState::Private { .. } | LocalState::Failed(_) => None,
        }
    }

    /// The build of which nothing but what was installed is here.
    #[must_use]
    pub fn installed_only(&self) -> Option<(&ContentId, &Facts)> {
        match self.state.as_ref()? {
            LocalState::Private { facts: Some(facts), installed: Some(content), .. } => Some((content, facts)),
            LocalState::Private { .. }
            | LocalState::Checking { .. }
            | LocalState::Complete(_)
            | LocalState::Modified { .. }
            | LocalState::Failed(_) => None,
        }
    }

    /// What we know of a content from its own manifest, and how much of it is here.
    #[must_use]
    pub fn known(&self, content: &ContentId) -> Option<(&Facts, EntryState)> {
        if let Some((build, state)) = self.held()
            && build.content == *content
        {
            return Some((&build.facts, state));
        }
        self.growing.get(content).map(|growing| (&growing.facts, EntryState::Getting(growing.tenths)))
    }

    fn is_nothing(&self) -> bool {
        self.state.is_none() && self.growing.is_empty()
    }
}

/// Our own games by id.
///
/// Invariant: no game is nothing; every folder key names at least one game.
#[derive(Debug, Default)]
pub(super) struct Local {
    games: BTreeMap<GameId, LocalGame>,
    /// Games by what a case-folding file system would call their folder.
    folders: BTreeMap<CollisionKey, Vec<GameId>>,
}

impl Local {
    pub(super) fn get(&self, game: &GameId) -> Option<&LocalGame> {
        self.games.get(game)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &GameId> {
        self.games.keys()
    }

    /// Applies a finding.
    pub(super) fn on_change(&mut self, game: &GameId, change: LocalChange) {
        let held = self.games.get(game).and_then(LocalGame::held).map(|(build, state)| (build.clone(), state));
        let state = match change {
            LocalChange::Checking(progress) => Some(LocalState::Checking { progress, held }),
            LocalChange::Complete(build) => Some(LocalState::Complete(build)),
            LocalChange::Modified { build, changes, matching } => {
                Some(LocalState::Modified { build, changes, matching })
            }
            LocalChange::Private { reason, facts, installed } => Some(LocalState::Private { reason, facts, installed }),
            LocalChange::Failed(reason) => Some(LocalState::Failed(reason)),
            LocalChange::Gone => None,
        };
        self.edit(game, |local| local.state = state);
    }

    /// What a build takes when it is installed was found out.
    pub(super) fn on_weighed(&mut self, game: &GameId, content: &ContentId, installed: u64) {
        self.edit(game, |local| {
            let build = match &mut local.state {
                Some(LocalState::Complete(build) | LocalState::Modified { build, .. }) => build,
                Some(LocalState::Checking { held: Some((build, _)), .. }) => build,
                Some(LocalState::Checking { held: None, .. } | LocalState::Private { .. } | LocalState::Failed(_))
                | None => return,
            };
            if build.content == *content {
                build.facts.installed = Some(installed);
            }
        });
    }

    /// A transfer began or moved on. Beyond [`GROWING_MAX`] contents a game nothing is added.
    pub(super) fn on_growing(&mut self, game: &GameId, content: ContentId, growing: Growing) {
        self.edit(game, |local| {
            if local.growing.len() < GROWING_MAX || local.growing.contains_key(&content) {
                local.growing.insert(content, growing);
            }
        });
    }

    /// A transfer was committed or discarded.
    pub(super) fn on_growing_ended(&mut self, game: &GameId, content: &ContentId) {
        self.edit(game, |local| {
            local.growing.remove(content);
        });
    }

    fn edit(&mut self, game: &GameId, change: impl FnOnce(&mut LocalGame)) {
        let mut local = self.games.remove(game).unwrap_or_default();
        change(&mut local);
        let key = game.collision_key();
        let twins = self.folders.entry(key.clone()).or_default();
        twins.retain(|twin| twin != game);
        if !local.is_nothing() {
            twins.push(game.clone());
            twins.sort_unstable();
            self.games.insert(game.clone(), local);
        }
        if self.folders.get(&key).is_some_and(Vec::is_empty) {
            self.folders.remove(&key);
        }
        let filed = self.folders.get(&key).is_some_and(|twins| twins.contains(game));
        debug_assert_eq!(filed, self.games.contains_key(game), "folders and games differ");
    }

    /// The other games of ours whose folder is `game`'s on a case-folding file system.
    pub(super) fn twins<'a>(&'a self, game: &'a GameId) -> impl Iterator<Item = &'a GameId> {
        self.folders.get(&game.collision_key()).into_iter().flatten().filter(move |twin| *twin != game)
    }

    /// The twin that is in the way of announcing `game`: of twins only the first by bytes is shared,
    /// whatever order they were found in.
    pub(super) fn announced_twin(&self, game: &GameId) -> Option<&GameId> {
        self.folders.get(&game.collision_key())?.first().filter(|first| *first < game)
    }

    /// What is announced of a game.
    pub(super) fn announced(&self, game: &GameId, rules: &Rules) -> Vec<LibraryEntry> {
        let Some(local) = self.games.get(game) else { return Vec::new() };
        if !rules.allow(game) || self.announced_twin(game).is_some() {
            return Vec::new();
        }
        let held = local.held().map(|(build, state)| (build.content, &build.facts, state));
        let held_content = held.map(|(content, ..)| content);
        let growing = local
            .growing
            .iter()
            // A repair grows the very content that is held; the folder's own state speaks for it.
            .filter(|(content, _)| Some(**content) != held_content)
            .map(|(content, growing)| (*content, &growing.facts, EntryState::Getting(growing.tenths)));
        held.into_iter()
            .chain(growing)
            .map(|(content, facts, state)| {
                facts.entry(&BuildKey { game: game.clone(), content }, rules.title(game), state)
            })
            .collect()
    }
}
