//! What the faces show of games and of what peers have. Only what changed is made anew; the whole list
//! is put together at most a few times a second.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{look::Meter, played::Played, playing::Playing};
use crate::{
    api::{BuildView, GameView, StateWord, UpdateView},
    core::library::{BuildKey, BuildRow, GameRow, Library, LocalState, Progress},
    io::catalog::Catalog,
    runtime::{installs::Installation, view::PeerFacts},
    types::{EntryState, GameId, LibraryNo, PeerId, PeerName},
};

/// Names listed with a build; the faces say how many more there are.
const HOLDERS_MAX: usize = 8;
/// Builds listed with a game; a room with more has a liar in it.
const BUILDS_MAX: usize = 16;
/// Files named in a reason.
const NAMED_MAX: usize = 2;
/// The list is put together again no sooner than after this, and this much more a thousand games.
const PAUSE: Duration = Duration::from_millis(80);
const PAUSE_A_THOUSAND: Duration = Duration::from_millis(40);

/// Rows of games in the order of their titles, and facts about peers.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: BTreeMap<(String, GameId), GameView>,
    keys: BTreeMap<GameId, String>,
    dirty_games: BTreeSet<GameId>,
    dirty_peers: BTreeSet<PeerId>,
    peers: BTreeMap<PeerId, PeerFacts>,
    last: Option<Instant>,
}

/// What rows are made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) core: &'a Library,
    pub(super) catalog: &'a Catalog,
    pub(super) installed: &'a BTreeMap<GameId, Installation>,
    pub(super) installing: &'a BTreeMap<GameId, Arc<Meter>>,
    pub(super) install_failures: &'a BTreeMap<GameId, String>,
    pub(super) playing: &'a BTreeMap<GameId, Playing>,
    pub(super) played: &'a Played,
    pub(super) names: &'a BTreeMap<PeerId, PeerName>,
    pub(super) places: &'a BTreeMap<GameId, LibraryNo>,
}

impl Rows {
    /// These may look different now.
    pub(super) fn mark(&mut self, games: BTreeSet<GameId>, peers: BTreeSet<PeerId>) {
        self.dirty_games.extend(games);
        self.dirty_peers.extend(peers);
    }

    /// When [`Self::refresh`] has something to do.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let dirty = !self.dirty_games.is_empty() || !self.dirty_peers.is_empty();
        let pause = PAUSE + PAUSE_A_THOUSAND * (self.rows.len() / 1_000) as u32;
        dirty.then(|| self.last.map_or(now, |last| last + pause))
    }

    /// Makes anew what is marked; the lists that changed.
    pub(super) fn refresh(&mut self, from: &Sources<'_>, now: Instant) -> Refreshed {
        self.last = Some(now);
        let games = std::mem::take(&mut self.dirty_games);
        let peers = std::mem::take(&mut self.dirty_peers);
        for game in &games {
            self.game(game, from);
        }
        for peer in &peers {
            match peer_facts(peer, from.core) {
                Some(facts) => self.peers.insert(*peer, facts),
                None => self.peers.remove(peer),
            };
        }
        Refreshed {
            games: (!games.is_empty()).then(|| Arc::new(self.rows.values().cloned().collect())),
            peers: (!peers.is_empty()).then(|| Arc::new(self.peers.clone())),
        }
    }

    fn game(&mut self, game: &GameId, from: &Sources<'_>) {
        if let Some(key) = self.keys.remove(game) {
            self.rows.remove(&(key, game.clone()));
        }
        if !from.core.rules().allow(game) && from.core.local(game).is_none() {
            return;
        }
        if let Some(row) = from.core.row(game) {
            let view = game_view(game, &row, from);
            let key = view.title.to_lowercase();
            self.keys.insert(game.clone(), key.clone());
            self.rows.insert((key, game.clone()), view);
        }
    }
}

/// Lists that are new.
#[derive(Debug)]
pub(super) struct Refreshed {
    pub(super) games: Option<Arc<Vec<GameView>>>,
    pub(super) peers: Option<Arc<BTreeMap<PeerId, PeerFacts>>>,
}

fn peer_facts(peer: &PeerId, core: &Library) -> Option<PeerFacts> {
    let trusted = core.rules().trusted.contains(peer);
    match (core.peer(peer), core.left().get(peer)) {
        (Some(summary), _) => Some(PeerFacts {
            games: summary.games as u32,
            getting: summary.getting.map(|(title, tenths)| (title, tenths.get() * 10)),
            trusted,
        }),
        (None, Some(left)) => Some(PeerFacts { games: left.games as u32, getting: None, trusted }),
        (None, None) => trusted.then(|| PeerFacts { trusted, ..PeerFacts::default() }),
    }
}

fn game_view(game: &GameId, row: &GameRow, from: &Sources<'_>) -> GameView {
    let core = from.core;
    let state = core.local_state(game);
    let installed = from.installed.get(game);
    let shown = match installed {
        // What is here is that build, though there is nothing of it to share.
        Some(Installation::Only(content)) => row.build(content),
        Some(Installation::None | Installation::Theirs | Installation::Of(_)) | None => row.builds.first(),
    };
    let word = if installed.is_some() { StateWord::Ready } else { StateWord::Downloaded };
    let (state_word, percent, reason) = match state {
        None => (StateWord::Available, None, String::new()),
        Some(LocalState::Checking { progress, .. }) => (StateWord::Checking, Some(percent(*progress)), String::new()),
        Some(LocalState::Complete(build)) => {
            let other = matches!(installed, Some(Installation::Of(content)) if *content != build.content);
            let reason = match from.install_failures.get(game) {
                Some(failure) => failure,
                None if other => "another build of it is installed; `install` brings this one",
                None => "",
            };
            (word, None, reason.to_owned())
        }
        Some(LocalState::Private { facts: Some(_), .. }) => (word, None, String::new()),
        // A folder without a version is no game; what a removal left of one does not hide the room's.
        Some(LocalState::Private { facts: None, .. }) if shown.is_some_and(BuildRow::is_offered) => {
            (StateWord::Available, None, String::new())
        }
        Some(LocalState::Private { reason, facts: None, .. }) => (StateWord::Failed, None, reason.clone()),
        Some(LocalState::Modified { changes, .. }) => (word, None, modified(changes)),
        Some(LocalState::Failed(reason)) => (StateWord::Failed, None, reason.clone()),
    };
    let (state_word, percent, reason) = match from.installing.get(game) {
        None => (state_word, percent, reason),
        Some(meter) if meter.waits() => (StateWord::Waiting, None, meter.doing()),
        Some(meter) => {
            let (done, total) = meter.read();
            let percent = (total > 0).then(|| self::percent(Progress { done, total }));
            (StateWord::Installing, percent, meter.doing())
        }
    };
    let mut view = GameView {
        id: game.to_string(),
        title: row.title.clone(),
        state: state_word,
        percent,
        reason,
        installed: installed.map(|installed| match installed {
            Installation::Of(content) | Installation::Only(content) => content.to_string(),
            Installation::None | Installation::Theirs => String::new(),
        }),
        update: row.update.and_then(|content| row.build(&content)).map(update_view),
        variants: row.variants,
        private: private(game, core, state),
        pinned: row.pinned.as_ref().map(ToString::to_string),
        can_play: from.catalog.games.get(game).is_some_and(|listed| listed.launch.is_some()),
        playing_since_ms: from.playing.get(game).and_then(|playing| playing.runs).map(|(_, since_ms)| since_ms),
        last_played: from.played.last(game),
        about: from.catalog.games.get(game).map(|listed| listed.about()).unwrap_or_default(),
        builds: row.builds.iter().take(BUILDS_MAX).map(|build| build_view(game, build, from)).collect(),
        library: from.places.get(game).map_or(0, |place| place.0),
        ..GameView::default()
    };
    if let Some(build) = shown {
        view.version = build.facts.version.to_string();
        view.content = build.content.to_string();
        (view.size, view.files) = (build.facts.size, build.facts.files);
        view.installed_size = build.facts.installed;
        (view.have, view.getting) = counts(build);
    } else if let Some(LocalState::Private { facts: Some(facts), installed, .. }) = state {
        view.version = facts.version.to_string();
        view.content = installed.map(|content| content.to_string()).unwrap_or_default();
        (view.size, view.files) = (facts.size, facts.files);
    }
    view
}

/// Whole percent, 100 only when all is done.
fn percent(progress: Progress) -> u8 {
    match progress {
        Progress { total: 0, .. } => 0,
        Progress { done, total } if done >= total => 99,
        Progress { done, total } => (u128::from(done) * 100 / u128::from(total)) as u8,
    }
}

fn modified(changes: &crate::core::library::Changes) -> String {
    let named: Vec<&str> = changes.first().iter().take(NAMED_MAX).map(|path| path.as_str()).collect();
    let more = changes.count().saturating_sub(named.len());
    let tail = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("modified: {}{tail}", named.join(", "))
}

fn private(game: &GameId, core: &Library, state: Option<&LocalState>) -> Option<String> {
    let state = state?;
    if let LocalState::Private { reason, facts, .. } = state {
        return facts.is_some().then(|| reason.clone());
    }
    if !core.rules().allow(game) {
        return Some("not in the catalog".to_owned());
    }
    if let Some(twin) = core.announced_twin(game) {
        return Some(format!("on other systems its folder is that of {twin}"));
    }
    core.left_out().contains(game).then(|| "more games than can be announced".to_owned())
}

fn update_view(build: &BuildRow) -> UpdateView {
    UpdateView {
        version: build.facts.version.to_string(),
        content: build.content.to_string(),
        size: build.facts.size,
        installed_size: build.facts.installed,
    }
}

/// Who has all of a build and who some of it, ourselves included.
fn counts(build: &BuildRow) -> (u32, u32) {
    let (whole, partial) = match build.ours {
        Some(EntryState::Ready) => (1, 0),
        Some(EntryState::Getting(_)) => (0, 1),
        None => (0, 0),
    };
    ((build.whole + whole) as u32, (build.partial + partial) as u32)
}

fn build_view(game: &GameId, build: &BuildRow, from: &Sources<'_>) -> BuildView {
    let key = BuildKey { game: game.clone(), content: build.content };
    let whole = from.core.holders(&key).into_iter().filter(|(_, state)| *state == EntryState::Ready);
    let names = whole.map(|(peer, _)| from.names.get(&peer).map_or_else(|| peer.short(), ToString::to_string));
    let (have, getting) = counts(build);
    BuildView {
        version: build.facts.version.to_string(),
        content: build.content.to_string(),
        size: build.facts.size,
        installed_size: build.facts.installed,
        have,
        getting,
        ours: build.ours == Some(EntryState::Ready),
        vouched: build.vouched,
        holders: names.take(HOLDERS_MAX).collect(),
    }
}
